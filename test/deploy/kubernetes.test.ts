// The manifests in deploy/kubernetes: what they name exists, and pods are held to the same rules as containers of the compose file.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';

import { unknownVariables } from '../../pipeline/settings.ts';
import { ROOT } from './compose-file.ts';

type Container = {
  readonly image: string;
  readonly command?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly [other: string]: unknown;
};
type Manifest = {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec: {
    readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: { readonly containers: readonly Container[]; readonly [other: string]: unknown };
    };
  };
};

const MANIFESTS = ['settings.yaml', 'prepare.yaml', 'worker.yaml'].flatMap((name) =>
  parseAllDocuments(readFileSync(join(ROOT, 'deploy', 'kubernetes', name), 'utf8')).map((document): Manifest =>
    document.toJS(),
  ),
);
const found = (kind: string): Manifest => {
  const manifest = MANIFESTS.find((each) => each.kind === kind);
  if (manifest === undefined) throw new Error(`There is no ${kind} in deploy/kubernetes.`);
  return manifest;
};
const PODS = ['Job', 'Deployment'].map((kind) => [kind, found(kind).spec.template.spec] as const);

describe.each(PODS)('the pod of the %s', (_kind, pod) => {
  const [container] = pod.containers;

  test('runs as the user of the image, with no rights and a root file system that it cannot write to', () => {
    expect(pod['securityContext']).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
    expect(pod['automountServiceAccountToken']).toBe(false);
    expect(container?.['securityContext']).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(container?.['resources']).toMatchObject({ limits: { memory: expect.any(String) } });
  });

  test('has the image of this version and gets its password from a secret', () => {
    const { version }: { version: string } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(container?.image).toBe(`weir:${version}`);
    const url = container?.env?.find(({ name }) => name === 'WEIR_POSTGRES_URL');
    expect(url).toEqual({
      name: 'WEIR_POSTGRES_URL',
      valueFrom: { secretKeyRef: expect.objectContaining({ name: 'weir-postgres' }) },
    });
  });

  test('is given only variables that are settings', () => {
    const names = [...(container?.env ?? []).map(({ name }) => name), ...Object.keys(found('ConfigMap').data ?? {})];
    expect(unknownVariables(Object.fromEntries(names.map((name) => [name, 'x'])))).toEqual([]);
    expect(container?.['envFrom']).toEqual([{ configMapRef: { name: found('ConfigMap').metadata.name } }]);
  });

  test('runs only scripts that are there', () => {
    const scripts = (container?.command ?? []).filter((word) => word.endsWith('.sh'));
    expect(scripts.filter((script) => !existsSync(join(ROOT, script)))).toEqual([]);
  });
});

test('the workers are probed where they answer, have longer to end than draining takes, and are found by their labels', () => {
  const { template, selector } = found('Deployment').spec;
  const [worker] = template.spec.containers;
  expect(worker?.['livenessProbe']).toMatchObject({ httpGet: { path: '/healthz', port: 'metrics' } });
  expect(worker?.['readinessProbe']).toMatchObject({ httpGet: { path: '/readyz', port: 'metrics' } });
  expect(worker?.ports).toEqual([
    { name: 'metrics', containerPort: 9464 },
    { name: 'temporal-metrics', containerPort: 9465 },
  ]);
  expect(template.spec['terminationGracePeriodSeconds']).toBeGreaterThan(30);
  expect(template.metadata.labels).toMatchObject(selector?.matchLabels ?? {});
  expect(found('PodDisruptionBudget').spec.selector).toEqual(selector);
});

// docker-compose.yml without Docker: it keeps to the specification, and to what this project promises of its services.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { KAFKA_VERSION } from '../../local/kafka-jars.ts';
import { unknownVariables } from '../../pipeline/settings.ts';
import { COMPOSE, ROOT, SERVICES, composeText, isJob, withDefaults } from './compose-file.ts';

const PASSWORD_NAME = /PASSWORD|PWD|SECRET|TOKEN/;
const REQUIRED = /^\$\{\w+:\?run scripts\/docker-env\.sh first\}$/;

test('it is valid by the Compose Specification (schema/compose-spec.json of github.com/compose-spec/compose-go v2.16.2)', () => {
  const schema: object = JSON.parse(readFileSync(new URL('compose-spec.json', import.meta.url), 'utf8'));
  const validate = new Ajv2020({ strict: false, validateFormats: false, allErrors: true }).compile(schema);
  validate(parse(composeText(), { merge: true }));
  expect(validate.errors).toBeNull();
});

describe.each(SERVICES)('%s', (_name, service) => {
  test('has an image of one version', () => {
    expect(withDefaults(service.image)).toMatch(/^[\w./-]+:v?\d+\.\d+[\w.-]*$/);
  });

  test('runs as a user without rights, on a root file system that it cannot write to', () => {
    expect(service.user).toMatch(/^(?!root|0)\w+(:\d+)?$/);
    expect(service.read_only).toBe(true);
    expect(service.cap_drop).toEqual(['ALL']);
    expect(service.security_opt).toEqual(['no-new-privileges:true']);
  });

  test('has limits of processor, memory and processes', () => {
    expect(service.deploy?.resources.limits).toEqual({
      cpus: expect.stringMatching(/^[\d.]+$/),
      memory: expect.stringMatching(/^\d+[mg]$/),
      pids: expect.any(Number),
    });
  });

  test('publishes its ports on 127.0.0.1 alone', () => {
    for (const port of service.ports ?? []) expect(withDefaults(port)).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  test('is a server with a health check, or a job that ends', () => {
    expect(isJob(service) || service.restart === 'unless-stopped').toBe(true);
    expect(service.healthcheck === undefined).toBe(isJob(service));
  });

  test('waits for servers to be healthy and for jobs to have succeeded', () => {
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      const awaited = COMPOSE.services[other];
      expect(awaited, other).toBeDefined();
      const wanted = awaited && isJob(awaited) ? 'service_completed_successfully' : 'service_healthy';
      expect(condition, other).toBe(wanted);
    }
  });

  test('has no password written down', () => {
    expect(writtenPasswords(service.environment ?? {})).toEqual([]);
  });

  test('gives Weir only variables that are settings', () => {
    expect(unknownVariables(service.environment ?? {})).toEqual([]);
  });

  test('mounts only what is there, read-only, and volumes that have a name', () => {
    expect((service.volumes ?? []).filter((volume) => !isMountable(volume))).toEqual([]);
  });

  test('starts only scripts that are there', () => {
    const scripts = (service.entrypoint ?? []).filter((word) => word.endsWith('.sh'));
    const mount = service.volumes?.find((volume) => volume.includes(':/etc/weir:'))?.split(':')[0] ?? '';
    const paths = scripts.map((script) => join(ROOT, script.replace('/etc/weir', mount)));
    expect(paths.filter((path) => !existsSync(path))).toEqual([]);
  });
});

function writtenPasswords(environment: Readonly<Record<string, string>>): string[] {
  return Object.entries(environment)
    .filter(([name, value]) => {
      const inUrl = /:\/\/[^:/]+:(\$\{[^}]*\}|[^@]*)@/.exec(value)?.[1];
      return [PASSWORD_NAME.test(name) ? value : undefined, inUrl].some(
        (text) => text !== undefined && !REQUIRED.test(text),
      );
    })
    .map(([name]) => name);
}

/** A volume of the file's own, the machine's file systems, or a file or folder of this checkout: the latter two read-only. */
function isMountable(volume: string): boolean {
  const [source = '', , mode] = volume.split(':');
  if (!/^[./]/.test(source)) return source in COMPOSE.volumes;
  return mode === 'ro' && (source === '/' || existsSync(join(ROOT, source)));
}

// `up --wait` waits until a service is up or healthy, and until it has ended only where another one waits for that.
test('each job is waited for by another service, or up --wait would take it for a server that died', () => {
  const jobs = SERVICES.filter(([, service]) => isJob(service) && !service.profiles).map(([name]) => name);
  const awaited = new Set(SERVICES.flatMap(([, service]) => Object.keys(service.depends_on ?? {})));
  expect(jobs.filter((job) => !awaited.has(job))).toEqual([]);
  expect(jobs).toContain('migrate');
});

test('two workers have longer to end than draining takes, which is 20 s', () => {
  const { worker } = COMPOSE.services;
  expect(worker?.deploy?.replicas).toBe(2);
  expect(Number(worker?.stop_grace_period?.replace('s', ''))).toBeGreaterThan(30);
});

test('versions are those of this checkout', () => {
  const { version }: { version: string } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect(withDefaults(COMPOSE.services['worker']?.image ?? '')).toBe(`weir:${version}`);
  expect(COMPOSE.services['kafka']?.image).toBe(`apache/kafka:${KAFKA_VERSION}`);
});

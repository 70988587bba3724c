// docker-compose.yml as tests read it: merges done, variables still as they are written.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { parse } from 'yaml';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export type Service = {
  readonly image: string;
  readonly user?: string;
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly profiles?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly entrypoint?: readonly string[];
  readonly stop_grace_period?: string;
  readonly deploy?: {
    readonly replicas?: number;
    readonly resources: {
      readonly limits: { readonly cpus?: string; readonly memory?: string; readonly pids?: number };
    };
  };
};

type ComposeFile = {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};

export const COMPOSE: ComposeFile = parse(composeText(), { merge: true });

export const SERVICES: readonly (readonly [name: string, service: Service])[] = Object.entries(COMPOSE.services);

export function composeText(): string {
  return readFileSync(`${ROOT}docker-compose.yml`, 'utf8');
}

/** A job runs to its end; everything else is a server. */
export const isJob = ({ restart }: Service): boolean => restart === 'no';

/** The text with each variable's default in its place; one that has to be set becomes `<NAME>`. */
export function withDefaults(text: string): string {
  return text
    .replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1')
    .replaceAll(/\$\{(\w+):\?[^}]*\}/g, '<$1>')
    .replaceAll('$$', '$');
}

// The queries of a checked-in dashboard, as Grafana would send them, with macros and variables filled in.
import { readFileSync } from 'node:fs';

import type { DashboardFile } from '../../observability/grafana/dashboards.ts';

/** One query, and where it stands: `panel / refId`. */
export type DashboardQuery = { readonly where: string; readonly text: string; readonly kind: 'promql' | 'sql' };

type Target = { readonly refId?: string; readonly expr?: string; readonly rawSql?: string };
export type CheckedInDashboard = {
  readonly title: string;
  readonly panels: readonly {
    readonly type: string;
    readonly title: string;
    readonly description?: string;
    readonly targets?: readonly Target[];
    readonly datasource?: { readonly type: string; readonly uid: string };
    readonly fieldConfig?: {
      readonly defaults: {
        readonly unit?: string;
        readonly noValue?: string;
        readonly links?: readonly { url: string }[];
      };
      readonly overrides: readonly {
        readonly properties: readonly { readonly id: string; readonly value: unknown }[];
      }[];
    };
  }[];
  readonly templating: { readonly list: readonly Variable[] };
  readonly annotations: {
    readonly list: readonly { readonly name: string; readonly expr?: string; readonly target?: Target }[];
  };
};
export type Variable = {
  readonly name: string;
  readonly type: string;
  readonly label?: string;
  readonly query?: unknown;
  readonly definition?: string;
  readonly multi?: boolean;
  readonly allValue?: string;
  readonly datasource?: { readonly uid: string };
};

export function readDashboard({ path }: Pick<DashboardFile, 'path'>): CheckedInDashboard {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** Every query of every panel and annotation, as it is written. */
export function queriesOf({ panels, annotations }: CheckedInDashboard): DashboardQuery[] {
  const ofPanels = panels.flatMap(({ title, targets = [] }) => targets.map((target) => queryOf(title, target)));
  const ofAnnotations = annotations.list.map(({ name, expr, target }) =>
    queryOf(`annotation ${name}`, target ?? { refId: 'A', ...(expr === undefined ? {} : { expr }) }),
  );
  return [...ofPanels, ...ofAnnotations];
}

function queryOf(title: string, { refId, expr, rawSql }: Target): DashboardQuery {
  const where = `${title} / ${refId}`;
  if (expr !== undefined) return { where, text: expr, kind: 'promql' };
  if (rawSql !== undefined) return { where, text: rawSql, kind: 'sql' };
  throw new Error(`${where} asks nothing.`);
}

/** Puts values in for `$name` and `${name}`. Throws when something is left that Grafana would have filled in. */
export function filledIn(text: string, values: Readonly<Record<string, string>>): string {
  const filled = text
    .replaceAll(
      /\$__timeFilter\(([\w.]+)\)/g,
      (_, column: string) => `${column} between '${values.from}' and '${values.to}'`,
    )
    .replaceAll(
      /\$(?:\{(\w+)\}|(\w+))/g,
      (whole, braced?: string, plain?: string) => values[braced ?? plain ?? ''] ?? whole,
    );
  if (filled.includes('$')) throw new Error(`Something is not filled in: ${filled}`);
  return filled;
}

const WORDS = new Set('by on and or unless ignoring without group_left group_right bool offset'.split(' '));

/** The metrics that a PromQL expression names. */
export function metricsOf(expr: string): string[] {
  const bare = expr
    .replaceAll(/\{[^}]*\}/g, ' ')
    .replaceAll(/\[[^\]]*\]/g, ' ')
    .replaceAll(/\b(by|on|ignoring|without|group_left|group_right) *\([^)]*\)/g, ' ');
  const names = [...bare.matchAll(/[a-zA-Z_:][\w:]*(?! *\()\b/g)].map(([name]) => name);
  return [...new Set(names.filter((name) => !WORDS.has(name) && !new RegExp(`\\b${name} *\\(`).test(bare)))];
}

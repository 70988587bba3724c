// What Prometheus is told: rules that load, alerts that fire when they should, a runbook for each, metrics that there are.
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from 'vitest';

import { createProgram } from '../../cli/program.ts';
import { findTool } from '../../local/machine.ts';
import { METRICS } from '../../observability/metric-list.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CONFIGURATION = 'observability/prometheus/prometheus.yml';
const RULE_FILES = ['recording.yml', 'alerts.yml'].map((file) => `observability/prometheus/${file}`);
const CASES = 'test/observability/rules';
const RUNBOOK = 'docs/runbook.md';

/** What others serve: Prometheus itself, every Node process (prom-client's own), Temporal's SDK. */
const FOREIGN = new Set([
  'up',
  'process_start_time_seconds',
  'temporal_workflow_task_execution_failed',
  'node_filesystem_avail_bytes',
  'node_filesystem_size_bytes',
]);

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const rules = RULE_FILES.map(read).join('\n');
const named = (kind: 'alert' | 'record'): string[] =>
  [...rules.matchAll(new RegExp(`^ +- ${kind}: (\\S+)$`, 'gm'))].map((match) => match[1] ?? '');

const promtool = findTool('promtool');

describe.skipIf(promtool === null)('promtool (Debian package prometheus)', () => {
  /** What it says when it finds something; empty when all is well. */
  const troubles = (...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync(promtool ?? '', args, { cwd: ROOT, encoding: 'utf8' });
    return status === 0 ? '' : `${stdout}${stderr}`;
  };

  test('takes the configuration and the rules', () => {
    expect(troubles('check', 'config', CONFIGURATION)).toBe('');
    expect(troubles('check', 'rules', '--lint=all', '--lint-fatal', ...RULE_FILES)).toBe('');
  });

  test.each(readdirSync(join(ROOT, CASES)))(
    'finds that the alerts of %s fire and stay silent as they should',
    { timeout: 300_000 },
    (file) => expect(troubles('test', 'rules', `${CASES}/${file}`)).toBe(''),
  );
});

describe('an alert', () => {
  const alerts = rules.split(/^ +- alert: /m).slice(1);
  const cases = readdirSync(join(ROOT, CASES)).flatMap((file) => read(`${CASES}/${file}`).split(/^ {2}- name: /m));

  test.each(alerts.map((text) => [text.slice(0, text.indexOf('\n')), text]))(
    '%s waits, and says how bad it is, what it is, and where to read on',
    (name, text) => {
      expect(text).toMatch(/^ +for: \d+m$/m);
      expect(text).toMatch(/^ +severity: (critical|warning)$/m);
      expect(text).toMatch(/^ +summary: \S/m);
      expect(text).toMatch(/^ +description: \S/m);
      // The anchor is that of its own section, in the label as in the annotation.
      const anchor = /^ +runbook: (\S+)$/m.exec(text)?.[1] ?? '';
      expect(anchorsIn(read(RUNBOOK)).get(anchor)).toBe(name);
      expect(text).toContain(`runbook_url: ${RUNBOOK}#${anchor}\n`);
    },
  );

  test('has a section of the runbook, and no section is of something else', () => {
    const sections = [...read(RUNBOOK).matchAll(/^## (Weir\w+)$/gm)].map((match) => match[1] ?? '');
    expect(sections.toSorted()).toEqual(named('alert').toSorted());
  });

  test.each(named('alert'))('%s has a case in which it fires and one in which it stays silent', (name) => {
    const own = cases.filter((text) => text.includes(`alertname: ${name}\n`));
    expect(own.some((text) => text.includes('exp_labels:'))).toBe(true);
    expect(own.some((text) => text.includes('exp_alerts: []'))).toBe(true);
  });

  // What is silent at one minute and fires at the next notices another `for`, longer or shorter.
  test.each(named('alert'))('%s has a case that is silent until the minute in which it fires', (name) => {
    const looks = cases.map((text) =>
      [...text.matchAll(new RegExp(`eval_time: (\\d+)m\n +alertname: ${name}\n +exp_alerts:( \\[\\])?`, 'g'))].map(
        ([, minute, silent]) => ({ minute: Number(minute), fires: silent === undefined }),
      ),
    );
    const isOnset = (all: (typeof looks)[number]): boolean =>
      all.some((one) => one.fires && all.some(({ minute, fires }) => !fires && minute === one.minute - 1));
    expect(looks.some(isOnset)).toBe(true);
  });
});

describe('the runbook', () => {
  test('names commands and flags that exist', () => {
    const weir = createProgram();
    const lines = [...read(RUNBOOK).matchAll(/^(?:npx )?weir (.+?)(?: {2,}.*)?$/gm)].map((match) => match[1] ?? '');
    expect(lines.length).toBeGreaterThan(10);
    for (const line of lines) {
      let command = weir;
      for (const word of line.split(' ')) command = command.commands.find((one) => one.name() === word) ?? command;
      expect(command, line).not.toBe(weir);
      const help = command.helpInformation();
      for (const flag of line.match(/--[a-z-]+/g) ?? []) expect(help, line).toContain(flag);
    }
  });
});

describe('a rule', () => {
  const known = new Set([...METRICS.map(({ name }) => name), ...named('record'), ...FOREIGN]);
  const isKnown = (name: string): boolean => known.has(name) || known.has(name.replace(/_(bucket|count|sum)$/, ''));

  test('reads only metrics of the list, recorded series, and what others are known to serve', () => {
    const used = expressionsOf(rules).flatMap(metricsIn);
    expect(used.length).toBeGreaterThan(named('alert').length);
    expect([...new Set(used.filter((name) => !isKnown(name)))]).toEqual([]);
  });

  test('records each name once', () => {
    expect(new Set(named('record')).size).toBe(named('record').length);
  });
});

/** Headings by their anchor, as GitHub makes it: lower case, no punctuation, `-` for a space, a number behind one that was there. */
function anchorsIn(markdown: string): Map<string, string> {
  const anchors = new Map<string, string>();
  for (const [, heading = ''] of markdown.replaceAll(/^```[^]*?^```/gm, '').matchAll(/^#{1,6} +(.+?) *$/gm)) {
    const plain = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, '')
      .replaceAll(' ', '-');
    let anchor = plain;
    for (let nth = 1; anchors.has(anchor); nth++) anchor = `${plain}-${nth}`;
    anchors.set(anchor, heading);
  }
  return anchors;
}

/** The text of every `expr:`, on its line or indented below it, and of the queries inside of descriptions. */
function expressionsOf(text: string): string[] {
  const blocks = [...text.matchAll(/^( +)expr: (?:[|>]-\n((?:\1 +.*\n)+)|(.+)$)/gm)];
  const queries = [...text.matchAll(/(?:printf|with query)\s+"([^"]+)"/g)].map((match) => match[1] ?? '');
  return [...blocks.map((match) => match[2] ?? match[3] ?? ''), ...queries.filter((query) => query.includes('weir_'))];
}

/** The names of series in an expression of PromQL: what is left without labels, functions, keywords and numbers. */
function metricsIn(expression: string): string[] {
  const bare = expression
    .replaceAll(/\{[^}]*\}/g, ' ')
    .replaceAll(/\[[^\]]*\]/g, ' ')
    .replaceAll(/\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ')
    .replaceAll(/\b(?:and|or|unless|offset|bool)\b/g, ' ')
    .replaceAll(/(?<![\w:])\d\w*/g, ' ');
  // A function's name has its bracket behind it, or behind the labels that an aggregation goes by: those became a space.
  return [...bare.matchAll(/(?<![\w:])[a-zA-Z_:][\w:]*(?![\w:]|\s*\()/g)].map(([name]) => name);
}

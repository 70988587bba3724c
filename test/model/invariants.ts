// What must be true after every commit, and what must be true in the end.
import { countedIn } from './close-steps.ts';
import type { LogEntry } from './ingest-steps.ts';
import type { ModelTransaction, Tables } from './model-database.ts';

/** A promise that was broken. */
export class Violation extends Error {
  readonly promise: string;

  constructor(promise: string, found: string) {
    super(`${promise}: ${found}`);
    this.name = 'Violation';
    this.promise = promise;
  }
}

/** Throws Violation unless `holds`. */
function promised(promise: string, holds: boolean, found: () => string): void {
  if (!holds) throw new Violation(promise, found());
}

/** To be asked after every commit. */
export function checkCommit(tables: Tables, { claims, name }: ModelTransaction): void {
  for (const claim of claims) {
    const present = tables.checkpoints[claim.partition]?.epoch;
    promised('one epoch commits', present === claim.epoch, () => `${name} committed, in epoch ${present}`);
  }
  checkCounts(tables);
  checkResults(tables);
}

function checkCounts({ checkpoints, events, late, letters }: Tables): void {
  for (const [partition, { first, next, recorded, duplicate, rejected, skipped }] of checkpoints.entries()) {
    const accounted = recorded + duplicate + rejected + skipped;
    promised(
      'conservation',
      next - first === accounted,
      () => `partition ${partition}: ${next - first} offsets, ${accounted} accounted`,
    );
  }
  const total = (count: 'recorded' | 'late'): number =>
    checkpoints.reduce((sum, each) => sum + each[count] + each.ended[count], 0);
  promised('conservation', total('recorded') === events.size, () => `${total('recorded')} of ${events.size} events`);
  promised('conservation', total('late') === late.size, () => `${total('late')} of ${late.size} late events`);
  for (const [id, { copies }] of events) promised('no event twice', copies === 1, () => `${id}, ${copies} times`);
  for (const [at, copies] of letters)
    promised('no event twice', copies === 1, () => `dead letter of ${at}, ${copies} times`);
}

/** A closed window holds the events committed before its close and its amendments: all but late events not applied yet. */
function checkResults(tables: Tables): void {
  const { events, late, clock, facts, windows } = tables;
  promised('closed_through leads', clock.writtenThrough <= clock.closedThrough, () => JSON.stringify(clock));
  const expected = new Map<number, string[]>();
  for (const [id, { pane }] of events) {
    const mark = late.get(id);
    if (mark && (mark.beyond || !mark.applied)) continue;
    expected.set(pane, [...(expected.get(pane) ?? []), id]);
  }
  for (let pane = 0; pane < clock.writtenThrough; pane += 1) {
    const held = (facts.get(pane) ?? []).join(' ');
    const due = (expected.get(pane) ?? []).toSorted().join(' ');
    promised('a closed window is right', held === due, () => `pane ${pane} holds "${held}", not "${due}"`);
    const { counted } = windows.get(pane + 1) ?? { counted: 'nothing' };
    const sum = countedIn(facts, pane + 1);
    promised(
      'a closed window is right',
      counted === sum,
      () => `window to ${pane + 1} says "${counted}", not "${sum}"`,
    );
    checkRevisions(tables, pane + 1);
  }
}

function checkRevisions({ windows, closes, amendments }: Tables, end: number): void {
  const changes = amendments.filter((each) => each.end === end);
  let told = closes.get(end);
  for (const { was, is } of changes) {
    promised('amendments tell the change', was === told, () => `window to ${end} was "${told}", not "${was}"`);
    told = is;
  }
  const { revision, counted } = windows.get(end) ?? { revision: 0, counted: '' };
  promised('amendments tell the change', counted === told, () => `window to ${end} is "${counted}", told "${told}"`);
  promised('one revision a change', revision === changes.length + 1, () => `window to ${end} has revision ${revision}`);
}

/** To be asked when everything was read, closed up to `panes`, and amended. */
export function checkEnd(tables: Tables, logs: readonly (readonly LogEntry[])[], panes: number): void {
  const { events, late, letters, facts, clock } = tables;
  promised('everything closes', clock.writtenThrough === panes, () => `written through ${clock.writtenThrough}`);
  for (const [partition, log] of logs.entries()) {
    promised('everything is read', tables.checkpoints[partition]?.next === log.length, () => `partition ${partition}`);
    for (const [offset, entry] of log.entries()) {
      const lettered = letters.has(`${partition}:${offset}`);
      if (entry.kind === 'malformed') promised('no message lost', lettered, () => `message ${partition}:${offset}`);
      if (entry.kind === 'event' && !entry.poison) promised('no event lost', events.has(entry.id), () => entry.id);
    }
  }
  const counted = [...facts.values()].flat();
  const due = [...events.keys()].filter((id) => !late.get(id)?.beyond);
  const same = counted.length === due.length && new Set(counted).size === due.length;
  promised('results equal all events', same, () => `${counted.length} counted, ${due.length} due`);
}

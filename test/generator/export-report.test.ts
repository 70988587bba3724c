// The report on an export, held to what was put into it: disorder, duplicates and malformed messages whose number is known.
import { beforeAll, describe, expect, test } from 'vitest';

import { isMalformed } from '../../generator/disorder.ts';
import { Duplicates } from '../../generator/duplicates.ts';
import { ExportCensus } from '../../generator/export-report.ts';
import type { ExportReport } from '../../generator/export-report.ts';
import { createGeneratorSpec } from '../../generator/generator-spec.ts';
import { createMessageMaker } from '../../generator/produced-message.ts';
import { Repeats } from '../../generator/repeats.ts';
import { createShopReport } from '../../generator/shop-report.ts';
import { Census } from '../../generator/session-census.ts';
import { messageHash } from '../../generator/shop.ts';
import { createWorld } from '../../generator/world.ts';
import { must } from '../../pipeline/ensure.ts';
import type { EventFields } from '../../pipeline/event.ts';

const MESSAGES = 60_000;
const spec = createGeneratorSpec({
  topic: 't',
  disorder: 0.03,
  disorderMs: 8_000,
  late: 0.01,
  malformed: 0.02,
  duplicates: 0.02,
  duplicatesElsewhere: 0.01,
  newerSchema: 0.2,
});
const segment = { fromIndex: 0, startMs: Date.UTC(2026, 2, 1, 12), rate: spec.rate };

function reportOf(values: readonly Buffer[]): ExportReport {
  const census = new ExportCensus();
  for (const value of values) census.add(value);
  return census.close();
}

const countWhere = <T>(items: readonly T[], holds: (item: T) => boolean): number => items.filter(holds).length;
const sum = (ranges: readonly { readonly count: number }[]): number =>
  ranges.reduce((all, { count }) => all + count, 0);

describe('the report on messages with disorder of every kind', () => {
  const world = createWorld(spec);
  const duplicates = new Duplicates(spec, world.key);
  const indexes = Array.from({ length: MESSAGES }, (_, index) => index);
  const repeated = countWhere(indexes, (index) => duplicates.kindOf(index) !== null);
  const spoiled = countWhere(
    indexes,
    (index) => duplicates.kindOf(index) === null && isMalformed(spec, messageHash(world, index)),
  );
  const values = createMessageMaker(spec)
    .messages(segment, 0, MESSAGES)
    .map(({ value }) => value);
  let report: ExportReport;
  beforeAll(() => {
    report = reportOf(values);
  });

  test('counts every message once: as an event, a duplicate or malformed', () => {
    expect(report).toMatchObject({ messages: MESSAGES, duplicates: repeated, malformed: spoiled });
    expect(report.events).toBe(MESSAGES - repeated - spoiled);
    expect(report.bytes).toBe(values.reduce((all, value) => all + value.length, 0));
    expect(report.reasons.reduce((all, { messages }) => all + messages, 0)).toBe(spoiled);
    expect(report.reasons.length).toBeGreaterThan(8);
    expect(sum(report.repeated)).toBe(repeated);
    expect(must(report.repeated[0], 'at once').count).toBeGreaterThan(0.009 * MESSAGES);
  });

  test('tells how far behind the newest event each one came', () => {
    const times: number[] = [];
    for (const [index, value] of values.entries()) {
      if (duplicates.kindOf(index) !== null || isMalformed(spec, messageHash(world, index))) continue;
      const event: EventFields = JSON.parse(value.toString());
      times.push(Date.parse(event.timestamp));
    }
    let newest = -Infinity;
    const behind = times.map((time) => {
      newest = Math.max(newest, time);
      return newest - time;
    });
    for (const { from, to, count } of report.behind) {
      expect(count).toBe(countWhere(behind, (ms) => ms >= from && ms < (to ?? Infinity)));
    }
    expect(report.mostBehindMs).toBe(behind.reduce((most, ms) => Math.max(most, ms), 0));
    expect(report).toMatchObject({ firstMs: times.toSorted((one, other) => one - other)[0], lastMs: newest });
    // A few of the first ones have nothing before them to be behind of.
    expect(sum(report.behind.slice(1))).toBeGreaterThan(0.035 * MESSAGES);
  });

  test('tells the shop of the events alone: what comes twice is no second visit', () => {
    const plain = createGeneratorSpec({ topic: 't', disorder: 0.03, disorderMs: 8_000, late: 0.01 });
    const without = reportOf(
      createMessageMaker(plain)
        .messages(segment, 0, MESSAGES - repeated)
        .map(({ value }) => value),
    );
    expect(Math.abs(report.shop.sessions.sessions / without.shop.sessions.sessions - 1)).toBeLessThan(0.02);
    for (const [nth, { rate }] of report.shop.funnel.entries()) {
      // Malformed steps are missing from the funnel: no more than their share of each step.
      expect(Math.abs(rate - must(without.shop.funnel[nth], 'a step').rate)).toBeLessThan(0.03);
    }
    expect(sum(report.shop.sessions.byEvents)).toBe(report.shop.sessions.sessions);
    expect(sum(report.shop.sessions.byDurationMs)).toBe(report.shop.sessions.sessions);
    expect(report.shop.sessions.meanEvents * report.shop.sessions.sessions).toBeCloseTo(report.events, 3);
    const newer = must(
      report.versions.find(({ version }) => version === 2),
      'version 2',
    );
    expect(Math.abs(newer.events / report.events - 0.2)).toBeLessThan(0.01);
  });
});

test('nothing but events in order: nothing behind, nothing twice, nothing malformed', () => {
  const plain = createGeneratorSpec({ topic: 't' });
  const values = createMessageMaker(plain).messages(segment, 0, 5_000);
  const report = reportOf(values.map(({ value }) => value));
  expect(report).toMatchObject({ events: 5_000, duplicates: 0, malformed: 0, mostBehindMs: 0, reasons: [] });
  expect(report.behind.map(({ count }) => count)).toEqual([5_000, 0, 0, 0, 0, 0, 0]);
  expect(report.versions).toEqual([{ version: 1, events: 5_000 }]);
});

test('no message at all is a report without a time', () => {
  expect(reportOf([])).toMatchObject({ messages: 0, events: 0, firstMs: null, lastMs: null });
});

test('the funnel goes by when things happened, not by when they were told', () => {
  const census = new Census();
  const tell = (type: EventFields['event_type'], atMs: number, session = 's'): void =>
    census.add(
      {
        event_id: '',
        event_type: type,
        user_id: 'u',
        timestamp: '',
        device: 'd',
        location: 'l',
        session_id: session,
      },
      atMs,
    );
  tell('purchase', 4_000);
  tell('item_click', 2_000);
  tell('page_view', 1_000);
  tell('cart_add', 3_000);
  tell('item_click', 1_000, 'other');
  tell('page_view', 2_000, 'other');
  const { reached, sessions, byDurationMs, meanDurationMs } = census.close();
  expect({ reached, sessions, meanDurationMs }).toEqual({ reached: [2, 1, 1, 1], sessions: 2, meanDurationMs: 2_000 });
  expect(byDurationMs.find(({ from }) => from === 1_000)).toMatchObject({ to: 10_000, count: 2 });
});

test('sessions are counted without end, users up to a million', () => {
  const shop = createShopReport();
  const count = 1_000_001;
  for (let number = 0; number < count; number++) {
    shop.add(
      {
        event_id: '',
        event_type: 'page_view',
        user_id: `u${number}`,
        timestamp: '',
        device: 'd',
        location: 'l',
        session_id: `s${number}`,
      },
      number,
    );
  }
  const { users, events, sessions, funnel } = shop.close();
  expect({ users, events, sessions: sessions.sessions }).toEqual({ users: null, events: count, sessions: count });
  expect(funnel[0]).toMatchObject({ step: 'view', reached: count, rate: 1 });
}, 60_000);

test('a repeat is found over a million messages, and the memory of it does not grow with their number', () => {
  const repeats = new Repeats();
  expect(repeats.distanceOf('first', 0)).toBe(null);
  expect(repeats.distanceOf('first', 7)).toBe(7);
  expect(repeats.distanceOf('first', 8)).toBe(1);
  for (let number = 9; number < 1_000_020; number++) repeats.distanceOf(`id-${number}`, number);
  expect(repeats.distanceOf('first', 1_000_020)).toBe(1_000_012);
  expect(repeats.distanceOf('id-1000', 1_000_021)).toBe(999_021);
  for (let number = 1_000_022; number < 3_100_000; number++) repeats.distanceOf(`id-${number}`, number);
  expect(repeats.distanceOf('first', 3_100_000)).toBe(null);
  expect(repeats.distanceOf('id-3000000', 3_100_001)).toBe(100_001);
}, 60_000);

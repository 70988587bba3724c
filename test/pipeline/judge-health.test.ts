// Every fault gives its stage the verdict unhealthy with its reason, and what only looks like a fault gives none.
import { describe, expect, test } from 'vitest';

import type { DataFacts, HealthFacts, PartitionFacts, PartitionWorkflow } from '../../pipeline/health-facts.ts';
import { judgeHealth } from '../../pipeline/judge-health.ts';
import { decided, isHealthy, isUndecided } from '../../pipeline/stage-verdict.ts';
import type { Stage, StageVerdict } from '../../pipeline/stage-verdict.ts';

const NO_FAILURES = { count: 0, message: null };
const WORDS = { message: '', pausedByPerson: false, failures: NO_FAILURES, leaseAgeMs: 60_000 };

const partition = (changes: Partial<PartitionFacts> = {}): PartitionFacts => ({
  partition: 0,
  nextOffset: '100',
  lag: 0,
  idle: false,
  problem: null,
  ...changes,
});

const reads = (changes: Partial<PartitionWorkflow> = {}): PartitionWorkflow => ({
  running: true,
  leased: true,
  says: { ...WORDS, phase: 'ingesting' },
  ...changes,
});

const data = (changes: Partial<DataFacts> = {}): DataFacts => ({
  partitions: [partition(), partition({ partition: 1 })],
  lowWatermark: '2026-11-01T10:00:30.000Z',
  heldBackBy: { partition: 1, reason: 'unread-messages' },
  writtenThrough: '2026-11-01T10:00:00.000Z',
  due: false,
  closedWindows: 5,
  late: { waiting: 0, oldestMs: 0, takenIn: 0, amendIntervalMs: 10_000 },
  letters: { open: 3, waiting: 0, problem: null },
  unaccounted: 0,
  verified: null,
  ...changes,
});

type Workflows = NonNullable<HealthFacts['workflows']>;

const CLOSER = { phase: 'waiting', message: '', stream: 'open', failures: NO_FAILURES } as const;
const workflows = (changes: Partial<Workflows> = {}): Workflows => ({
  pipeline: { running: true, says: { phase: 'running', message: '' } },
  closer: { running: true, leased: true, says: CLOSER },
  partitions: new Map([
    [0, reads()],
    [1, reads()],
  ]),
  generators: [],
  ...changes,
});

const facts = (changes: Partial<HealthFacts> = {}): HealthFacts => ({
  topic: 'orders',
  servers: { kafka: null, postgres: null, temporal: null },
  localWorkers: [{ name: 'worker-1', ready: true, starting: false, reasons: [] }],
  data: data(),
  workflows: workflows(),
  ...changes,
});

const down = (sentence: string) => ({ sentence, silent: false });
const both = (of: HealthFacts): [HealthFacts, HealthFacts] => [of, of];
const stalled = (changes: Partial<DataFacts>, of: Partial<Workflows> = {}): [HealthFacts, HealthFacts] =>
  both(facts({ data: data(changes), workflows: workflows(of) }));
const holding = (number: number, of: PartitionWorkflow): Partial<Workflows> => ({
  partitions: new Map([
    [0, reads()],
    [number, of],
  ]),
});
const behind = { partitions: [partition(), partition({ partition: 1, lag: 40 })] };
const SILENT_WORKFLOWS: Partial<Workflows> = {
  pipeline: { running: true, says: null },
  closer: { running: true, leased: false, says: null },
  partitions: new Map([
    [0, reads({ leased: false, says: null })],
    [1, reads({ leased: false, says: null })],
  ]),
};
const paused = reads({ leased: false, says: { ...WORDS, phase: 'paused', pausedByPerson: true } });
const failing = reads({
  leased: false,
  says: { ...WORDS, phase: 'backing-off', failures: { count: 3, message: 'PostgreSQL is full.' } },
});
const generator = { name: 'demo', phase: 'running', behindMs: 0, trouble: null, answered: true };

const stage = (verdicts: readonly StageVerdict[], name: Stage): StageVerdict | undefined =>
  verdicts.find((each) => each.stage === name);

describe('a fault', () => {
  test.each<[string, Stage, [HealthFacts, HealthFacts], RegExp]>([
    [
      'Kafka stopped',
      'kafka',
      both(facts({ servers: { kafka: down('Gone.'), postgres: null, temporal: null }, data: null })),
      /^Gone\.$/,
    ],
    [
      'PostgreSQL read-only',
      'postgres',
      both(facts({ servers: { kafka: null, postgres: down('Read-only.'), temporal: null } })),
      /^Read-only/,
    ],
    [
      'Temporal stopped',
      'temporal',
      both(facts({ servers: { kafka: null, postgres: null, temporal: down('Gone.') }, workflows: null })),
      /^Gone/,
    ],
    ['no worker anywhere', 'workers', stalled({}, SILENT_WORKFLOWS), /^No worker takes work: no workflow answers/],
    [
      'a worker of this home that has ended',
      'workers',
      both(facts({ localWorkers: [{ name: 'worker-2', ready: false, starting: false, reasons: ['It has ended.'] }] })),
      /worker-2 is not ready: It has ended/,
    ],
    [
      'a pipeline that does not run',
      'pipeline',
      stalled({}, { pipeline: { running: false, says: null } }),
      /does not run/,
    ],
    [
      'a pipeline that cannot look',
      'pipeline',
      stalled({}, { pipeline: { running: true, says: { phase: 'backing-off', message: 'No topic.' } } }),
      /No topic\./,
    ],
    [
      'a lost range',
      'ingestion',
      stalled({ partitions: [partition({ problem: 'Offsets 1 to 5 are gone.' }), partition({ partition: 1 })] }),
      /Partition 0 has stopped: Offsets 1 to 5/,
    ],
    [
      'a lost range beyond the end',
      'ingestion',
      stalled(
        {},
        holding(
          1,
          reads({ leased: false, says: { ...WORDS, phase: 'stopped: lost range', message: 'The log ends before.' } }),
        ),
      ),
      /Partition 1 has stopped: The log ends/,
    ],
    [
      'lag without a lease',
      'ingestion',
      stalled(behind, holding(1, reads({ leased: false }))),
      /Partition 1 has 40 messages unread, and no worker holds its lease/,
    ],
    [
      'lag that stands still under a lease',
      'ingestion',
      stalled(behind),
      /Partition 1 has 40 messages unread and stands still at offset 100 although/,
    ],
    [
      'leases that fail, also with nothing unread',
      'ingestion',
      stalled({}, holding(1, failing)),
      /Partition 1 cannot go on: PostgreSQL is full\./,
    ],
    [
      'a partition without its workflow',
      'ingestion',
      stalled({}, holding(1, reads({ running: false, leased: false, says: null }))),
      /Partition 1 has no workflow/,
    ],
    [
      'a watermark that an unread partition holds',
      'watermark',
      stalled(behind, holding(1, reads({ leased: false }))),
      /held by partition 1, which does not go on/,
    ],
    [
      'a window overdue',
      'windows',
      stalled({ due: true }),
      /windows before 2026-11-01T10:00:30Z are due, but none was written/,
    ],
    [
      'windows that nobody closes',
      'windows',
      stalled({ due: true }, { closer: { running: false, leased: false, says: null } }),
      /no workflow closes them/,
    ],
    [
      'a closer that fails',
      'windows',
      stalled(
        { due: true },
        {
          closer: {
            running: true,
            leased: false,
            says: { ...CLOSER, phase: 'backing-off', failures: { count: 2, message: 'Locked.' } },
          },
        },
      ),
      /closing fails: Locked\./,
    ],
    [
      'late events that nobody takes in',
      'late-events',
      stalled({ late: { waiting: 2, oldestMs: 90_000, takenIn: 5, amendIntervalMs: 10_000 } }),
      /2 late events still to be taken in, for up to 90 s/,
    ],
    [
      'letters that do not reach their topic',
      'dead-letters',
      stalled({ letters: { open: 1, waiting: 1, problem: 'They wait.' } }),
      /They wait\./,
    ],
    ['offsets that are unaccounted for', 'verification', stalled({ unaccounted: 7 }), /^7 offsets were passed over/],
    [
      'a verification that found differences',
      'verification',
      stalled({ verified: { clean: false, atMs: Date.parse('2026-11-01T09:00:00Z') } }),
      /found differences at 2026-11-01T09:00:00Z\.$/,
    ],
    [
      'a generator without a worker',
      'generator',
      stalled({}, { generators: [{ ...generator, phase: 'no worker answers', behindMs: null, answered: false }] }),
      /Nobody works for generator demo/,
    ],
    [
      'a generator that falls behind',
      'generator',
      stalled({}, { generators: [{ ...generator, behindMs: 12_000 }] }),
      /demo is 12 s behind its schedule/,
    ],
    [
      'a generator in trouble',
      'generator',
      stalled({}, { generators: [{ ...generator, behindMs: 12_000, trouble: 'No broker.' }] }),
      /demo waits: No broker\./,
    ],
  ])('%s', (...[, name, [first, now], reason]) => {
    const verdicts = decided(judgeHealth(first, now));
    expect(stage(verdicts, name)).toMatchObject({ verdict: 'unhealthy', reason: expect.stringMatching(reason) });
    expect(isHealthy(verdicts)).toBe(false);
  });

  test('that a server is down makes nothing else of its making unhealthy', () => {
    const servers = { kafka: down('Gone.'), postgres: null, temporal: null };
    const verdicts = decided(judgeHealth(...both(facts({ servers, data: null }))));
    expect(verdicts.filter(({ verdict }) => verdict === 'unhealthy')).toHaveLength(1);
    expect(stage(verdicts, 'ingestion')).toMatchObject({
      verdict: 'unknown',
      reason: 'It cannot be told without Kafka.',
    });
  });
});

describe('no false alarm', () => {
  const ahead = [partition({ nextOffset: '120' }), partition({ partition: 1, nextOffset: '140', lag: 900 })];
  test.each<[string, [HealthFacts, HealthFacts]]>([
    [
      'an idle topic',
      stalled({ heldBackBy: null, partitions: [partition({ idle: true }), partition({ partition: 1, idle: true })] }),
    ],
    [
      'an empty topic that was never read',
      stalled({
        heldBackBy: { partition: 0, reason: 'no-event-yet' },
        lowWatermark: null,
        writtenThrough: null,
        closedWindows: 0,
        partitions: [partition({ nextOffset: null })],
      }),
    ],
    ['a verification that found nothing wrong', stalled({ verified: { clean: true, atMs: 0 } })],
    ['catching up while it moves', [facts({ data: data(behind) }), facts({ data: data({ partitions: ahead }) })]],
    [
      'moving although leases failed before',
      [
        facts({ data: data(behind) }),
        facts({ data: data({ partitions: ahead }), workflows: workflows(holding(1, failing)) }),
      ],
    ],
    [
      'a lease that works again after failures',
      stalled({}, holding(1, reads({ says: { ...WORDS, phase: 'ingesting', failures: { count: 2, message: 'x' } } }))),
    ],
    ['a partition paused by hand', stalled(behind, holding(1, paused))],
    [
      'a pipeline paused by hand, with letters that wait',
      stalled(
        { letters: { open: 2, waiting: 2, problem: 'They wait.' } },
        { pipeline: { running: true, says: { phase: 'paused', message: '' } } },
      ),
    ],
    [
      'a bounded stream that has ended',
      stalled(
        { heldBackBy: { partition: 0, reason: 'read-to-the-end-recently' } },
        { closer: { running: true, leased: true, says: { ...CLOSER, stream: 'ended' } } },
      ),
    ],
    [
      'windows that are being written',
      [
        facts({ data: data({ due: true, writtenThrough: '2026-11-01T09:00:00.000Z' }) }),
        facts({ data: data({ due: true }) }),
      ],
    ],
    ['a window that has come due just now', [facts(), facts({ data: data({ due: true }) })]],
    [
      'late events that are collected',
      stalled({ late: { waiting: 2, oldestMs: 9_000, takenIn: 5, amendIntervalMs: 10_000 } }),
    ],
    [
      'a storm of late events that is being taken in',
      [
        facts({ data: data({ late: { waiting: 9_000, oldestMs: 90_000, takenIn: 5, amendIntervalMs: 10_000 } }) }),
        facts({ data: data({ late: { waiting: 8_000, oldestMs: 91_000, takenIn: 1_005, amendIntervalMs: 10_000 } }) }),
      ],
    ],
    ['workers elsewhere, none of this home', both(facts({ localWorkers: [] }))],
    [
      'workers too busy to answer while their leases are held',
      stalled(
        {},
        {
          ...SILENT_WORKFLOWS,
          partitions: new Map([
            [0, reads({ says: null })],
            [1, reads({ says: null })],
          ]),
        },
      ),
    ],
    [
      'a second worker that starts',
      both(facts({ localWorkers: [{ name: 'worker-2', ready: false, starting: true, reasons: ['It starts.'] }] })),
    ],
    [
      'a generator that keeps its schedule after a trouble',
      stalled({}, { generators: [{ ...generator, trouble: 'No broker.' }] }),
    ],
    [
      'a generator that catches up',
      [
        facts({ workflows: workflows({ generators: [{ ...generator, behindMs: 60_000 }] }) }),
        facts({ workflows: workflows({ generators: [{ ...generator, behindMs: 50_000 }] }) }),
      ],
    ],
    ['a paused generator', stalled({}, { generators: [{ ...generator, phase: 'paused', behindMs: null }] })],
  ])('%s', (_what, [first, now]) => {
    const verdicts = judgeHealth(first, now);
    expect(verdicts.filter(({ verdict }) => verdict !== 'healthy')).toEqual([]);
  });

  test('what somebody paused is said, with the command that goes on', () => {
    const [first, now] = stalled(behind, holding(1, paused));
    expect(stage(judgeHealth(first, now), 'ingestion')).toMatchObject({
      reason: expect.stringMatching(
        /1 of 2 partitions is read.* Partition 1 is paused by hand with 40 messages unread\./,
      ),
      next: '`weir partition resume 1` goes on.',
    });
    expect(stage(judgeHealth(first, now), 'watermark')?.reason).toMatch(/held by partition 1, which is paused by hand/);
  });

  test('without a pipeline an empty topic is no second fault, and unread messages are', () => {
    const none = { running: false, leased: false, says: null };
    const without = { pipeline: none, partitions: new Map([[0, none]]) };
    expect(stage(judgeHealth(...stalled({}, without)), 'ingestion')?.verdict).toBe('healthy');
    expect(stage(judgeHealth(...stalled(behind, without)), 'ingestion')).toMatchObject({
      verdict: 'unhealthy',
      reason: 'Partition 1 has 40 messages unread, and no pipeline reads it.',
    });
  });

  test('a server that is merely silent gets time to answer', () => {
    const servers = { kafka: { sentence: 'Silent.', silent: true }, postgres: null, temporal: null };
    const verdicts = judgeHealth(...both(facts({ servers, data: null })));
    expect(stage(verdicts, 'kafka')?.verdict).toBe('suspect');
    expect(stage(decided(verdicts), 'kafka')).toMatchObject({ verdict: 'unhealthy', reason: 'Silent.' });
  });

  test('the first look alone decides nothing that time may decide', () => {
    const verdicts = judgeHealth(...stalled(behind));
    expect(isUndecided(verdicts)).toBe(true);
    expect(verdicts.some(({ verdict }) => verdict === 'unhealthy')).toBe(false);
  });
});

// A chaos run: faults by a seeded schedule while events flow, then healing, the end of the stream, and the reckoning.
import { setTimeout as wait } from 'node:timers/promises';

import { verifyPipeline } from '../../cli/verify-pipeline.ts';
import { dueThrough } from '../../generator/pace.ts';
import { partitionOffsets } from '../../kafka/topics.ts';
import { messageOf } from '../../pipeline/ensure.ts';
import { generatorId, windowsId } from '../../pipeline/ids.ts';
import { formatOffset } from '../../pipeline/offset.ts';
import { readCheckpoints } from '../../postgres/checkpoints.ts';
import { lateEventsWaiting } from '../../postgres/late-events.ts';
import type { GeneratorState } from '../../workflows/generator-state.ts';
import { endStreamUpdate, windowsStateQuery } from '../../workflows/commands.ts';
import { eventually } from '../support/eventually.ts';
import { faultLines, faultProblems, goldenProblems, verificationProblems } from './chaos-report.ts';
import type { ChaosReport, Struck } from './chaos-report.ts';
import { ChaosWorld } from './chaos-world.ts';
import { allowedHere } from './fault.ts';
import type { Fault } from './fault.ts';
import { compareWithGolden } from './golden-run.ts';
import { comparePublished, countUnpublished, publishedProblems } from './published-letters.ts';
import type { Produced } from './golden-run.ts';
import { scheduleOf } from './schedule.ts';
import type { Turn } from './schedule.ts';

export type ChaosOptions = {
  readonly seed: number;
  /** How long faults are injected; the first round of all of them is always completed. */
  readonly minutes: number;
  /** Messages per second. */
  readonly rate: number;
  readonly faults: readonly Fault[];
  readonly report: (line: string) => void;
  /** Where the logs of servers and workers go when something is wrong. */
  readonly logsTo: string;
};

const RECOVERED_WITHIN_MS = 150_000;
const FINISHED_WITHIN_MS = 300_000;

/** Runs chaos and reckons. Throws when the pipeline does not even come up; everything else is a problem of the report. */
export async function runChaos(wanted: ChaosOptions): Promise<ChaosReport> {
  const { seed, minutes, rate, report, logsTo } = wanted;
  const { faults, leftOut } = allowedHere(wanted.faults);
  for (const sentence of leftOut) report(sentence);
  const options = { ...wanted, faults };
  const world = await ChaosWorld.open({ seed, rate, report });
  const struck: Struck[] = [];
  const problems: string[] = [];
  let messages = 0;
  let reckoning: Reckoning = NO_RECKONING;
  try {
    await strikeAll(world, options, struck);
    await world.heal();
    report('Healed; waiting for the end of the stream');
    const produced = await endGenerator(world);
    messages = produced.count;
    await endOfStream(world);
    report('Everything is taken in and closed; comparing');
    reckoning = await reckon(world, produced, problems);
  } catch (error) {
    problems.push(messageOf(error));
  }
  const lines = faultLines(
    faults.map(({ name }) => name),
    struck,
  );
  problems.push(...faultProblems(lines, struck));
  await world.close({ logsTo: problems.length > 0 ? logsTo : null });
  return { seed, minutes, rate, messages, faults: lines, leftOut, ...reckoning, problems };
}

type Reckoning = Pick<ChaosReport, 'golden' | 'verification' | 'published' | 'late' | 'amendedRows'>;

const NO_RECKONING: Reckoning = { golden: null, verification: null, published: null, late: 0, amendedRows: 0 };

/** The first round is always completed: a run in which a kind of fault never came says nothing about it. */
async function strikeAll(world: ChaosWorld, options: ChaosOptions, struck: Struck[]): Promise<void> {
  const endMs = Date.now() + options.minutes * 60_000;
  for (const turn of scheduleOf(options.seed, options.faults)) {
    if (turn.round > 0 && Date.now() + turn.calmMs >= endMs) return;
    await world.complete();
    await wait(turn.calmMs);
    const one = await strike(world, turn);
    struck.push(one);
    const recovery = one.recovered ? `all commit again after ${Math.max(...one.recoveryMs)} ms` : 'NOT RECOVERED';
    options.report(
      `${one.fault}: ${one.detail}${one.hit ? '' : ' (met nothing)'}; ${recovery}, longest pause ${one.stillMs} ms`,
    );
    if (!one.recovered) return;
    await world.noteSegment();
  }
}

async function strike(world: ChaosWorld, { fault, chance }: Turn): Promise<Struck> {
  const startedAtMs = Date.now();
  const { hit, endedAtMs, detail } = await fault.inject(world, chance);
  const recoveredAtMs = await eventually(() => world.recoveredAt(endedAtMs), {
    deadlineMs: RECOVERED_WITHIN_MS,
    what: 'every partition commits',
  }).catch(() => null);
  const partitions = Array.from({ length: world.partitions }, (_, partition) => partition);
  const firsts = partitions.map((partition) => world.watch.firstAfter(partition, endedAtMs));
  return {
    fault: fault.name,
    hit,
    detail,
    recovered: recoveredAtMs !== null,
    probeProblems: await world.probes.judge({ fault, fromMs: startedAtMs, endedAtMs, overMs: recoveredAtMs }),
    recoveryMs: firsts.flatMap((ms) => (ms === null ? [] : [Math.round(ms - endedAtMs)])),
    stillMs: Math.round(
      Math.max(...partitions.map((each) => world.watch.longestPause(each, startedAtMs, recoveredAtMs ?? Date.now()))),
    ),
  };
}

/** Stops the generator at a message before which all are sent and after which none is. */
async function endGenerator(world: ChaosWorld): Promise<Produced> {
  const { client, generatorSpec, generator } = world;
  const handle = client.workflow.getHandle(generatorId(generatorSpec.name));
  await eventually(
    async () => {
      const { segment, mayReachIndex } = await handle.query<GeneratorState>('state');
      const behindSeconds = await generator.metric('weir_generator_behind_seconds');
      return behindSeconds !== null && behindSeconds < 1 && dueThrough(segment, Date.now() - 5_000) > mayReachIndex;
    },
    { deadlineMs: FINISHED_WITHIN_MS, what: 'the generator is on its schedule again' },
  );
  await handle.executeUpdate('stop');
  const { segment, nextIndex, mayReachIndex }: GeneratorState = await handle.result();
  if (nextIndex < mayReachIndex)
    throw new Error(`The generator does not know whether it sent the messages ${nextIndex} to ${mayReachIndex}.`);
  return { segments: world.segments(segment), count: nextIndex };
}

/** Waits until all that the topic holds is ingested, closed and amended, and its dead letters are published. */
async function endOfStream({ client, spec, stack, pool }: ChaosWorld): Promise<void> {
  const within = { deadlineMs: FINISHED_WITHIN_MS };
  const ends = await partitionOffsets({ brokers: stack.addresses.kafka.brokers, topic: spec.topic });
  const endOffsets = Object.fromEntries(ends.map((of) => [String(of.partition), formatOffset(of.endOffset)]));
  const windows = client.workflow.getHandle(windowsId(spec.topic));
  await eventually(async () => await windows.executeUpdate(endStreamUpdate, { args: [{ endOffsets }] }), {
    ...within,
    what: 'the workflow that closes windows takes the end of the stream',
  });
  await eventually(
    async () => {
      const at = new Map((await readCheckpoints(pool, spec)).map((one) => [one.partition, one.nextOffset]));
      const behind = ends.find(({ partition, endOffset }) => (at.get(partition) ?? 0) < endOffset);
      if (behind)
        throw new Error(`partition ${behind.partition} is at ${at.get(behind.partition)} of ${behind.endOffset}`);
      const { stream, message } = await windows.query(windowsStateQuery);
      const late = await lateEventsWaiting(pool, spec);
      if (stream !== 'ended' || late > 0)
        throw new Error(`the stream is ${stream}, ${late} late events wait: ${message}`);
      const unpublished = await countUnpublished({ pool, spec });
      if (unpublished > 0) throw new Error(`${unpublished} dead letters are not published`);
      return true;
    },
    { ...within, what: 'every message is taken in, every window closed and every letter published' },
  );
}

async function reckon(world: ChaosWorld, produced: Produced, problems: string[]): Promise<Reckoning> {
  const { stack, spec, pool } = world;
  const postgresUrl = stack.addresses.postgres.url;
  const verification = await verifyPipeline({ brokers: stack.addresses.kafka.brokers, postgresUrl, spec });
  problems.push(...verificationProblems(verification));
  const golden = await compareWithGolden(world, produced);
  problems.push(...goldenProblems(golden));
  const published = await comparePublished(world);
  problems.push(...publishedProblems(published));
  const { rows } = await pool.query<{ late: number; amended: number }>(
    `select (select count(*) from chaos.late_events)::int as late, (select count(*) from chaos.amendments)::int as amended`,
  );
  const { clean, differences } = verification;
  return {
    golden,
    verification: { clean, differences },
    published,
    late: rows[0]?.late ?? 0,
    amendedRows: rows[0]?.amended ?? 0,
  };
}

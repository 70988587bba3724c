// Faults of the lines to Kafka: cut in the middle of an answer, a confirmation lost, slow, silent.
import { setTimeout as wait } from 'node:timers/promises';

import { BrokerLink } from '../../kafka/broker-link.ts';
import { partitionId } from '../../pipeline/ids.ts';
import type { FindPoint, TcpProxy } from '../support/tcp-proxy.ts';
import type { ChaosWorld } from './chaos-world.ts';
import { busiest, isMoving } from './fault.ts';
import type { Fault, Injection } from './fault.ts';
import { beforeConfirmation, midFetch } from './kafka-answers.ts';

const CUTS = 6;
const CUT_EACH_WITHIN_MS = 3_000;
const SLOW_MS = 20_000;
const SLOW = { ms: 100, bytesPerSecond: 1_000_000 };
/** What was under way when the link became slow does not count. */
const SLOW_FROM_MS = 3_000;
/** Longer than a request and than the first one of the connection that replaces it: 20 s each. */
const SILENT_MS = 45_000;

/** Cuts where `point` says, again and again; how often it came to that. */
async function cutRepeatedly(proxy: TcpProxy, point: (found: () => void) => FindPoint): Promise<number> {
  let cuts = 0;
  for (let turn = 0; turn < CUTS; turn += 1) {
    const cut = new AbortController();
    proxy.cutAt(point(() => cut.abort()));
    await wait(CUT_EACH_WITHIN_MS, undefined, { signal: cut.signal }).catch(() => {});
    if (cut.signal.aborted) cuts += 1;
  }
  await proxy.heal();
  return cuts;
}

async function cutInFetch(world: ChaosWorld): Promise<Injection> {
  const { victim } = await busiest(world);
  const cuts = await cutRepeatedly(victim.kafka, (found) => midFetch(world.spec.topic, found));
  return { hit: cuts > 0, endedAtMs: Date.now(), detail: `${victim.name}, ${cuts} answers cut in two` };
}

async function loseConfirmations(world: ChaosWorld): Promise<Injection> {
  const { generator, spec } = world;
  const cuts = await cutRepeatedly(generator.kafka, (found) => beforeConfirmation(spec.topic, found));
  return { hit: cuts > 0, endedAtMs: Date.now(), detail: `${cuts} confirmations never came` };
}

async function slowDown(world: ChaosWorld): Promise<Injection> {
  const { workers, generator, spec, watch } = world;
  const moved = isMoving(world);
  const lines = [...workers, generator].map(({ kafka }) => kafka);
  for (const line of lines) line.delay(SLOW);
  await wait(SLOW_FROM_MS);
  const fromMs = Date.now();
  const roundTripMs = Math.min(...(await Promise.all(lines.map(async (line) => await roundTrip(line, spec.topic)))));
  await wait(SLOW_MS - SLOW_FROM_MS - roundTripMs);
  const commits = watch.count(fromMs);
  const goesOn = Array.from({ length: world.partitions }, (_, each) => watch.firstAfter(each, fromMs) !== null);
  for (const line of lines) await line.heal();
  return {
    hit: moved && roundTripMs >= 2 * SLOW.ms && goesOn.every(Boolean),
    endedAtMs: Date.now(),
    detail: `a round trip took ${roundTripMs} ms, ${commits} commits seen meanwhile`,
  };
}

/** How long Kafka's answer to a small question takes over this line, on a connection that stands. */
async function roundTrip(line: TcpProxy, topic: string): Promise<number> {
  const link = new BrokerLink({ brokers: [line.address] });
  try {
    await link.topicMetadata(topic);
    const startedMs = performance.now();
    await link.topicMetadata(topic);
    return Math.round(performance.now() - startedMs);
  } finally {
    link.close('The line is measured.');
  }
}

async function fallSilent(world: ChaosWorld): Promise<Injection> {
  const { victim, commits } = await busiest(world);
  victim.kafka.blackhole();
  await wait(SILENT_MS);
  const waiting = await leasesThatWait(world);
  await victim.kafka.heal();
  return {
    hit: commits > 0 && waiting > 0,
    endedAtMs: Date.now(),
    detail: `${victim.name}, ${commits} commits in 0.5 s before, ${waiting} leases say that they wait`,
  };
}

/** Leases whose heartbeats say why nothing comes from Kafka. */
async function leasesThatWait({ client, spec, partitions }: ChaosWorld): Promise<number> {
  const heartbeats = Array.from({ length: partitions }, async (_, partition) => {
    const { raw } = await client.workflow.getHandle(partitionId(spec.topic, partition)).describe();
    const payloads = (raw.pendingActivities ?? []).flatMap(({ heartbeatDetails }) => heartbeatDetails?.payloads ?? []);
    return payloads.map(({ data }) => Buffer.from(data ?? []).toString()).join('');
  });
  return (await Promise.all(heartbeats)).filter((said) => said.includes('"waitingFor":"')).length;
}

export const KAFKA_LINE_FAULTS: readonly Fault[] = [
  { name: 'Kafka cut in mid-response', inject: cutInFetch },
  { name: 'Kafka confirmation lost', inject: loseConfirmations },
  { name: 'Kafka slow link', inject: slowDown },
  { name: 'Kafka silent 45 s', probes: { ready: 'lost' }, inject: fallSilent },
];

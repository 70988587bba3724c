// All verdicts on a pipeline from two looks at it: what stands still shows only by comparison with the first.
import type { HealthFacts } from './health-facts.ts';
import { judgeLate, judgeLetters, judgeVerification, judgeWatermark, judgeWindows } from './judge-event-time.ts';
import { judgeIngestion, judgePartitions } from './judge-ingestion.ts';
import { judgeGenerators, judgePipeline, judgeServer, judgeWorkers } from './judge-servers.ts';
import { unknown } from './stage-verdict.ts';
import type { Finding, Stage, StageVerdict } from './stage-verdict.ts';

/** A verdict per stage. At the first look `first` is `now`: whatever has work to do is suspect then, until it has moved. */
export function judgeHealth(first: HealthFacts, now: HealthFacts): StageVerdict[] {
  const { servers } = now;
  const ground: readonly (readonly [Stage, Finding])[] = [
    ['kafka', judgeServer('Kafka', servers.kafka)],
    ['postgres', judgeServer('PostgreSQL', servers.postgres)],
    ['temporal', judgeServer('Temporal', servers.temporal)],
    ['workers', judgeWorkers(now)],
    ['pipeline', judgePipeline(now)],
    ['generator', judgeGenerators(first, now)],
  ];
  return [...ground, ...judgeData(first, now)].map(([stage, { verdict, reason, next }]) => ({
    stage,
    verdict,
    reason,
    next,
  }));
}

const DATA_STAGES = ['ingestion', 'watermark', 'windows', 'late-events', 'dead-letters', 'verification'] as const;

function judgeData(first: HealthFacts, { data: now, servers, workflows }: HealthFacts): (readonly [Stage, Finding])[] {
  if (now === null) {
    const silent = [servers.kafka === null ? null : 'Kafka', servers.postgres === null ? null : 'PostgreSQL'];
    const names = silent.filter((name) => name !== null).join(' and ');
    return DATA_STAGES.map((stage) => [stage, unknown(`It cannot be told without ${names}.`)] as const);
  }
  const looks = { first: first.data ?? now, now, workflows };
  const partitions = judgePartitions(looks.first, now, workflows);
  return [
    ['ingestion', judgeIngestion(partitions, now)],
    ['watermark', judgeWatermark(looks, partitions)],
    ['windows', judgeWindows(looks)],
    ['late-events', judgeLate(looks)],
    ['dead-letters', judgeLetters(looks)],
    ['verification', judgeVerification(looks)],
  ];
}

// The verdict on one stage of a pipeline, and what the verdicts of all stages add up to.

/** The stages, in the order in which a message passes them; servers and workers first. */
export type Stage =
  | 'kafka'
  | 'postgres'
  | 'temporal'
  | 'workers'
  | 'pipeline'
  | 'generator'
  | 'ingestion'
  | 'watermark'
  | 'windows'
  | 'late-events'
  | 'dead-letters'
  | 'verification';

/** `suspect`: unhealthy if it stays like this. `unknown`: nothing can be said while another stage is down. */
type Verdict = 'healthy' | 'suspect' | 'unhealthy' | 'unknown';

/** `reason`: one or more sentences. `next`: what to do, as a sentence; null where there is nothing, or the reason says it. */
export type StageVerdict = {
  readonly stage: Stage;
  readonly verdict: Verdict;
  readonly reason: string;
  readonly next: string | null;
};

/** What a rule finds, before it is known which stage it speaks for. */
export type Finding = Omit<StageVerdict, 'stage'>;

export const healthy = (reason: string, next: string | null = null): Finding => ({ verdict: 'healthy', reason, next });
export const suspect = (reason: string, next: string | null = null): Finding => ({ verdict: 'suspect', reason, next });
export const unhealthy = (reason: string, next: string | null = null): Finding => ({
  verdict: 'unhealthy',
  reason,
  next,
});
export const unknown = (reason: string): Finding => ({ verdict: 'unknown', reason, next: null });

const RANKS: Readonly<Record<Verdict, number>> = { unhealthy: 3, suspect: 2, unknown: 1, healthy: 0 };

/** Several findings of one stage as one: the worst decides and is told, with all that are as bad as it. */
export function worst(findings: readonly Finding[]): Finding | null {
  const rank = Math.max(-1, ...findings.map(({ verdict }) => RANKS[verdict]));
  const told = findings.filter(({ verdict }) => RANKS[verdict] === rank);
  const [first] = told;
  if (first === undefined) return null;
  const next = [...new Set(told.map((each) => each.next).filter((each) => each !== null))];
  return {
    verdict: first.verdict,
    reason: [...new Set(told.map(({ reason }) => reason))].join(' '),
    next: next.length === 0 ? null : next.join(' '),
  };
}

/** Whether time alone will tell: something stands still or fails that may go on in a moment. */
export function isUndecided(verdicts: readonly StageVerdict[]): boolean {
  return verdicts.some(({ verdict }) => verdict === 'suspect');
}

/** The verdicts once there was time enough: what is still suspect has stood still too long. */
export function decided(verdicts: readonly StageVerdict[]): StageVerdict[] {
  return verdicts.map((each) => (each.verdict === 'suspect' ? unhealthyStage(each) : each));
}

const unhealthyStage = (of: StageVerdict): StageVerdict => ({ ...of, verdict: 'unhealthy' });

/** Whether every stage is healthy. */
export function isHealthy(verdicts: readonly StageVerdict[]): boolean {
  return verdicts.every(({ verdict }) => verdict === 'healthy');
}

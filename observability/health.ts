// What a worker knows of itself and of its servers, and what that adds up to: whether it lives, whether it is ready for work.

export type ServerName = 'temporal' | 'postgres' | 'kafka';

/**
 * starting: prepares its workflow code. connecting: has no Temporal yet. polling: takes work. draining: was asked to end.
 * ended: its run loop is over.
 */
export type WorkerPhase = 'starting' | 'connecting' | 'polling' | 'draining' | 'ended';

/**
 * A loop of the worker, such as a lease. All `...Ms` here are read from one clock that never jumps (performance.now()).
 * `waitingFor`: the server that it waits for, as a sentence; null while it should make turns.
 */
export type LoopReport = { readonly name: string; readonly turnedMs: number; readonly waitingFor: string | null };

/** What the last check of a server found. `trouble`: one sentence that says what to do; null: all is well. */
export type ServerCheck = {
  readonly trouble: string | null;
  readonly checkedMs: number;
  /** Since when every check has found the server well, or none has. */
  readonly sinceMs: number;
  /** The same for people: ISO, UTC. */
  readonly since: string;
};

export type HealthReport = {
  readonly phase: WorkerPhase;
  /** What a worker that connects waits for, as a sentence. */
  readonly waitingFor: string | null;
  readonly loops: readonly LoopReport[];
  /** The servers without which it cannot work, each with its last check; null: not asked yet. */
  readonly servers: Readonly<Partial<Record<ServerName, ServerCheck | null>>>;
};

/** `reasons`: one sentence each; none: it lives, it is ready. */
export type Verdict = { readonly holds: boolean; readonly reasons: readonly string[] };

/**
 * Twice what a lease gives itself before it falls silent and Temporal ends it: only one that even this did not end needs
 * its process to be killed, which costs the other leases of the process their place.
 */
export const STUCK_AFTER_MS = 90_000;
/** A check older than this says nothing: the process stood still, or the check itself hangs. */
export const STALE_AFTER_MS = 10_000;

const SERVER_NAMES: Readonly<Record<ServerName, string>> = {
  temporal: 'Temporal',
  postgres: 'PostgreSQL',
  kafka: 'Kafka',
};

/** What a check found, added to what the one before had found. A long silence between two begins a new time of being well. */
export function addCheck(
  before: ServerCheck | null,
  { trouble, nowMs, now }: { readonly trouble: string | null; readonly nowMs: number; readonly now: Date },
): ServerCheck {
  const well = trouble === null;
  const goesOn =
    before !== null && (before.trouble === null) === well && !(well && nowMs - before.checkedMs > STALE_AFTER_MS);
  const { sinceMs, since } = goesOn ? before : { sinceMs: nowMs, since: now.toISOString() };
  return { trouble, checkedMs: nowMs, sinceMs, since };
}

/**
 * Whether the process is worth keeping. A loop is stuck when it has made no turn for too long although all servers have
 * answered all that time: waiting for a server is no reason to be killed, and neither is having stood still.
 */
export function isAlive(report: HealthReport, nowMs: number): Verdict {
  if (report.phase === 'draining') return verdict([]);
  if (report.phase === 'ended') {
    return verdict(['The run loop of the worker has ended although nobody asked it to: restart the process.']);
  }
  const wellSinceMs = serversWellSinceMs(report, nowMs);
  if (wellSinceMs === null) return verdict([]);
  const stuck = report.loops.filter(
    ({ turnedMs, waitingFor }) => waitingFor === null && nowMs - Math.max(turnedMs, wellSinceMs) > STUCK_AFTER_MS,
  );
  return verdict(
    stuck.map(
      ({ name, turnedMs }) =>
        `${name} has made no turn for ${seconds(nowMs - turnedMs)} although all servers answer: restart the process.`,
    ),
  );
}

/** Whether it can take work just now. */
export function isReady(report: HealthReport, nowMs: number): Verdict {
  return verdict([...phaseReasons(report), ...serverReasons(report, nowMs)]);
}

/** Whether this server was well when it was last asked, not too long ago. */
export function isWell(check: ServerCheck | null, nowMs: number): boolean {
  return check !== null && check.trouble === null && nowMs - check.checkedMs <= STALE_AFTER_MS;
}

/** What its loops wait for, each sentence once. */
export function waits({ waitingFor, loops }: HealthReport): string[] {
  const all = [waitingFor, ...loops.map((loop) => loop.waitingFor)];
  return [...new Set(all.filter((sentence) => sentence !== null))];
}

const verdict = (reasons: readonly string[]): Verdict => ({ holds: reasons.length === 0, reasons });
const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;

function serversWellSinceMs({ servers }: HealthReport, nowMs: number): number | null {
  let sinceMs = -Infinity;
  for (const check of Object.values(servers)) {
    if (check === null || !isWell(check, nowMs)) return null;
    sinceMs = Math.max(sinceMs, check.sinceMs);
  }
  return sinceMs;
}

const PHASE_REASONS: Readonly<Record<WorkerPhase, string | null>> = {
  starting: 'The worker is starting: wait a few seconds.',
  connecting: 'The worker connects to Temporal: wait a few seconds.',
  polling: null,
  draining: 'The worker drains and takes no more work: it was asked to end.',
  ended: 'The worker has ended: start it again.',
};

function phaseReasons({ phase, waitingFor }: HealthReport): string[] {
  const reason = phase === 'connecting' && waitingFor !== null ? waitingFor : PHASE_REASONS[phase];
  return reason === null ? [] : [reason];
}

function serverReasons({ servers }: HealthReport, nowMs: number): string[] {
  const reasons: string[] = [];
  for (const server of ['temporal', 'postgres', 'kafka'] as const) {
    const check = servers[server];
    if (check === undefined) continue;
    const name = SERVER_NAMES[server];
    if (check === null) reasons.push(`${name} was not asked yet: wait a few seconds.`);
    else if (check.trouble !== null) reasons.push(`${check.trouble} So it is since ${check.since}.`);
    else if (!isWell(check, nowMs)) {
      reasons.push(
        `${name} was asked ${seconds(nowMs - check.checkedMs)} ago, which tells nothing any more: the process stood still; wait for the next check.`,
      );
    }
  }
  return reasons;
}

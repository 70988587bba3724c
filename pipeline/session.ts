// A session: what one user did without a longer break, whatever session ids the client sent. Its edges come from event time.
import { LONGEST_WINDOW_MS, lastWindowEndOfAny } from './aggregates.ts';
import { PANE_MS, paneStart } from './pane.ts';
import type { PipelineSpec } from './pipeline-spec.ts';

/** The tables that closed sessions and funnels lie in, and the names under which `windows` and `amendments` speak of them. */
export const SESSIONS = 'sessions';
export const FUNNEL = 'funnel';

/**
 * Milliseconds. A user's event more than `gapMs` after the one before begins a session; exactly the gap does not. Activity
 * without such a break is cut every `maxMs` from the minute of its first event on. Both are whole minutes, the gap at least
 * one: so all that a user does in one pane belongs to one session.
 */
export type SessionRules = { readonly gapMs: number; readonly maxMs: number };

export const DEFAULT_SESSION_RULES: SessionRules = { gapMs: 30 * 60_000, maxMs: 12 * 3_600_000 };

/** Where the rules stand: in a pipeline's spec, and in the settings. */
export type SessionSettings = Pick<PipelineSpec, 'sessionGapMs' | 'sessionMaxMs'>;

/** The rules of a pipeline; one that was started by a build without sessions has none in its spec. */
export function sessionRulesOf(spec: SessionSettings): SessionRules {
  return {
    gapMs: spec.sessionGapMs ?? DEFAULT_SESSION_RULES.gapMs,
    maxMs: spec.sessionMaxMs ?? DEFAULT_SESSION_RULES.maxMs,
  };
}

/** The first pane boundary at which a session whose last event is of `lastAtMs` can't go on any more. */
export function sessionClosesAt(lastAtMs: number, { gapMs }: SessionRules): number {
  return paneStart(lastAtMs + gapMs) + PANE_MS;
}

/**
 * End of the last window or session that holds an event of `atMs`, if none follows: nothing of that instant is open then.
 * (The windows of the funnels are no longer than the longest of the others, and end before their sessions close or with them.)
 */
export function lastEndOfAny(atMs: number, rules: SessionRules): number {
  return Math.max(lastWindowEndOfAny(atMs), sessionClosesAt(atMs, rules));
}

/** The same for everything that a pane may hold. */
export function lastEndOfPane(paneMs: number, rules: SessionRules): number {
  return lastEndOfAny(paneMs + PANE_MS - 1, rules);
}

/** How far before a boundary lie panes of which something may still be open there. */
export function openBackMs({ gapMs }: SessionRules): number {
  return Math.max(LONGEST_WINDOW_MS, gapMs + 2 * PANE_MS);
}

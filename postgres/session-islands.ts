// The SQL that makes sessions of what users did: unbroken activity, cut where it is longer than a session may be.
import { FUNNEL_WINDOW } from '../pipeline/funnel.ts';
import type { SessionRules } from '../pipeline/session.ts';
import { instant, interval, paneOf } from './instant.ts';

/**
 * Parts of a WITH that make sessions of its part `pieces`: stretches of a user's activity, in no order, each a minute or a
 * session known so far (`user_id`, `first_at`, `last_at`; of a session also `active_since`, and its `revision`; else null and
 * 0). Yields `sessions`: `user_id`, `active_since`, `session_start`, `session_end`, `cut_at`, `revision`, `cut`, and
 * `is_last`: the user's last one of these.
 */
export function sessionsOfPieces({ gapMs, maxMs }: SessionRules): string {
  const part = `floor(extract(epoch from ${paneOf('first_at')} - ${paneOf('since')}) / ${maxMs / 1000})`;
  const cutAt = `${paneOf('since')} + (${part} + 1) * ${interval(maxMs)}`;
  return `
    begun as (
      select *, coalesce(first_at > max(last_at) over before + ${interval(gapMs)}, true) as begins
      from pieces
      window before as (partition by user_id order by first_at rows between unbounded preceding and 1 preceding)
    ),
    islands as (
      select *, count(*) filter (where begins) over (partition by user_id order by first_at rows unbounded preceding) as island
      from begun
    ),
    parted as (
      select *, min(coalesce(active_since, first_at)) over (partition by user_id, island) as since from islands
    ),
    sessions as materialized (
      select user_id, since as active_since, min(first_at) as session_start, max(last_at) as session_end,
        ${cutAt} as cut_at, max(revision) as revision, lead(true) over (partition by user_id, since order by min(first_at)) is not null as cut,
        lead(true) over (partition by user_id order by min(first_at)) is null as is_last
      from parted
      group by user_id, since, ${part}
    )`;
}

/** SQL condition on a row of `sessions`: nothing can belong to it any more once all before `throughMs` is known. */
export function hasEnded(throughMs: number, { gapMs }: SessionRules): string {
  return `(cut or ${isSilent('session_end', throughMs, gapMs)})`;
}

/** SQL condition: `lastAt` lies more than the gap before `throughMs`. */
export function isSilent(lastAt: string, throughMs: number, gapMs: number): string {
  return `${lastAt} < ${instant(throughMs - gapMs)}`;
}

/** SQL expression: start of the window in which the funnels count a session that starts at `at`. */
export function funnelWindowOf(at: string): string {
  return `date_bin(${interval(FUNNEL_WINDOW.lengthMs)}, ${at}, timestamptz 'epoch')`;
}

// What reading a topic again has found missing and put back: rows at offsets which had been read before.
import type { Span } from './window.ts';

/**
 * `events`: those of closed panes, which `span` covers (epoch ms of event time; null: there are none). Those of open ones count
 * in no result yet.
 */
export type PutBack = { readonly events: number; readonly letters: number; readonly span: Span | null };

/**
 * The range of which every window has to be rebuilt: an event that came back is added to its windows, which may hold it still.
 */
export function rangeWith(range: Span, { span }: PutBack): Span {
  if (span === null) return range;
  return { startMs: Math.min(range.startMs, span.startMs), endMs: Math.max(range.endMs, span.endMs) };
}

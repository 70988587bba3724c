// The story of a window of the funnels: it waits for event time, and besides for every session that started in it.
import type pg from 'pg';

import { must } from '../pipeline/ensure.ts';
import { FUNNEL_WINDOW } from '../pipeline/funnel.ts';
import { heldOpenBy } from '../pipeline/open-sessions.ts';
import { FUNNEL } from '../pipeline/session.ts';
import type { SessionRules } from '../pipeline/session.ts';
import { whyOpen } from '../pipeline/why-open.ts';
import type { EventTimeFacts, WhyOpen } from '../pipeline/why-open.ts';
import { windowsOf } from '../pipeline/window.ts';
import { readFunnelWindow } from '../postgres/funnel-window.ts';
import type { FunnelWindow } from '../postgres/funnel-window.ts';
import type { ExplainedWindow } from './window-why.ts';

/** As the windows of the aggregates; `funnel` is what there is to say of its sessions. */
export type ExplainedFunnel = ExplainedWindow & { readonly funnel: FunnelWindow };

type Where = { readonly schema: string; readonly atMs: number; readonly writtenThroughMs: number | null };

/** The window that holds `atMs`. */
export async function readExplainedFunnel(
  pool: pg.Pool,
  { schema, atMs, writtenThroughMs }: Where,
): Promise<ExplainedFunnel> {
  const span = must(windowsOf(FUNNEL_WINDOW, atMs)[0], 'the window that holds an instant');
  const funnel = await readFunnelWindow(pool, schema, span);
  const { closed, amendments, sessions, open, isPending } = funnel;
  const isOpen = isPending || open !== null || (writtenThroughMs ?? -Infinity) < span.endMs;
  const history = { closed, amendments, events: sessions + (open?.count ?? 0), lateWaiting: 0, lateLeftOut: 0 };
  const state = closed !== null ? 'closed' : isOpen ? 'open' : 'empty';
  return { aggregate: FUNNEL, counts: 'session', span, state, history, why: [], funnel };
}

/** What its rows wait for; nothing when they are what they are to be. */
export function whyFunnelWaits(
  { state, span, funnel: { open, isPending } }: ExplainedFunnel,
  { facts, rules }: { facts: EventTimeFacts; rules: SessionRules },
): WhyOpen[] {
  if (state === 'empty' || (state === 'closed' && !isPending && open === null)) return [];
  const isTimeOver = (facts.writtenThroughMs ?? -Infinity) >= span.endMs;
  const waits = [...(isTimeOver ? [] : whyOpen(span.endMs, facts)), ...(open ? [heldOpenBy(open, rules)] : [])];
  const again: WhyOpen[] = state === 'closed' ? [AGAIN] : [];
  return [...again, ...(waits.length === 0 ? [DUE] : waits)];
}

const AGAIN: WhyOpen = {
  reason: 'amended-sessions',
  partition: null,
  sentence: 'A late event changed which sessions started in it or what they say, so its rows are to be written again.',
};
const DUE: WhyOpen = {
  reason: 'closer-behind',
  partition: null,
  sentence:
    'All sessions that started in it have closed, so it is due: the next close writes its rows; `weir status --watch` shows it move.',
};

/** Whether it takes a look at event time to say why. */
export const isWaiting = ({ state, funnel }: ExplainedFunnel): boolean =>
  state === 'open' || funnel.isPending || funnel.open !== null;

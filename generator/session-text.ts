// The text of a session: what all of its events have in common, written once.
import { hex32 } from './event-id.ts';
import type { GeneratorSpec } from './generator-spec.ts';
import type { Language } from './search-phrases.ts';
import { draw, fraction, pick } from './seeded-chance.ts';
import type { Session } from './session-block.ts';
import { lateByMs, loginHabit, shopperAt, skewMs } from './shoppers.ts';
import type { World } from './world.ts';

/** `head`: JSON between type and time; `tail`: from the time to the own fields. `aheadMs`: device time less world time. */
export type SessionText = {
  readonly userId: string;
  readonly sessionId: string;
  readonly head: string;
  readonly tail: string;
  readonly referrer: string;
  readonly currency: string;
  readonly language: Language;
  readonly loginMethod: string;
  readonly firstStep: number;
  readonly aheadMs: number;
};

const DRAW = { id: 4_000, referrer: 4_001 } as const;
const REFERRERS = ['search', 'search', 'direct', 'social', 'email'];
const SKEW_MS = 120_000;

/** Writes what the events of a session share. A traveller's lie in the past by as much as the net hears of them late. */
export function sessionText(world: World, spec: GeneratorSpec, { shopper, hash, firstStep }: Session): SessionText {
  const { population } = world;
  const who = shopperAt(population, shopper);
  const habit = loginHabit(who.hash);
  const sessionId = `s-${hex32(who.hash)}${hex32(draw(hash, DRAW.id))}`;
  const { clockSkew: share = 0, clockSkewMs: mostMs = SKEW_MS } = spec;
  const lateMs = shopper >= population.users ? lateByMs(who.hash, spec) : 0;
  return {
    userId: who.id,
    sessionId,
    head: inOnePiece(`","user_id":"${who.id}","timestamp":"`),
    tail: inOnePiece(`","device":"${who.device}","location":"${who.location}","session_id":"${sessionId}",`),
    referrer: REFERRERS[pick(hash, DRAW.referrer, REFERRERS.length)] ?? 'direct',
    currency: who.currency,
    language: who.language,
    // Most people have one way in for good.
    loginMethod: fraction(hash, DRAW.referrer) < 0.1 || habit < 0.55 ? 'email' : habit < 0.85 ? 'social' : 'sso',
    firstStep,
    aheadMs: skewMs(who.hash, { share, mostMs }) - lateMs,
  };
}

/** V8 keeps a joined text as a tree of its parts until somebody reads in it: done once here, instead of for every event. */
function inOnePiece(text: string): string {
  text.charCodeAt(0);
  return text;
}

// Seeded events of few users with many edges: exactly a gap, a microsecond more or less, ties, cuts, carts, far dates.
import type pg from 'pg';

import { quoteSchema } from '../../postgres/schema-name.ts';
import { SeededRandom } from '../fuzz/seeded-random.ts';
import type { LateMark } from '../support/events.ts';
import type { ReferenceEvent, ReferenceRules } from './session-reference.ts';

const MINUTE = 60_000_000n;

export type RandomEvents = {
  readonly seed: number;
  readonly count: number;
  readonly users: number;
  readonly rules: ReferenceRules;
  /** Where the users begin (ISO texts); each of them goes on from one after the other. */
  readonly starts: readonly [string, ...string[]];
};

/** In no order. User names and items are odd on purpose: their order by code point is none of a dictionary's. */
export function randomEvents({ seed, count, users, rules, starts }: RandomEvents): ReferenceEvent[] {
  const random = new SeededRandom(seed, 0);
  const clocks = Array.from({ length: users }, () => micros(random.pick(starts)));
  const events: ReferenceEvent[] = [];
  for (let made = 0; made < count; made += 1) {
    const user = random.below(users);
    const since = clocks[user] ?? 0n;
    const at = since + pause(random, since, rules);
    clocks[user] = at;
    events.push(
      randomEvent(random, { id: idOf(seed, made), at, user: ['B', 'a', 'ä', '_', 'Ω'][user % 5] + String(user) }),
    );
    // Now and then a user goes to another time, so that one has sessions in 1815, today and in the far future.
    if (random.oneIn(400)) clocks[user] = micros(random.pick(starts));
  }
  return shuffled(random, events);
}

function pause(random: SeededRandom, since: bigint, { gapMs }: ReferenceRules): bigint {
  const gap = BigInt(gapMs) * 1000n;
  const untilMinute = MINUTE - (((since % MINUTE) + MINUTE) % MINUTE);
  const pauses = [
    0n,
    0n,
    1n,
    BigInt(random.below(3_000_000)),
    BigInt(random.below(gapMs)) * 1000n,
    BigInt(random.below(gapMs)) * 1000n,
    gap,
    gap - 1n,
    untilMinute,
    untilMinute - 1n,
  ];
  if (random.oneIn(30)) return gap + 1n;
  if (random.oneIn(30)) return gap + 1000n;
  if (random.oneIn(80)) return gap * 3n + BigInt(random.below(gapMs)) * 1000n;
  return pauses[random.below(pauses.length)] ?? 0n;
}

function randomEvent(random: SeededRandom, known: { id: string; at: bigint; user: string }): ReferenceEvent {
  const item = (): string => random.pick(['i1', 'i2', 'I3', 'ï4']);
  const event = {
    ...known,
    device: random.pick(['mobile', 'desktop', 'Mobile']),
    location: random.pick(['Berlin', 'berlin', 'Århus']),
    texts: {},
    quantity: 0,
    price: 0n,
    bought: [],
    amount: 0n,
  };
  switch (random.pick(['page_view', 'page_view', 'item_click', 'cart_add', 'purchase', 'search', 'user_login'])) {
    case 'page_view':
      return {
        ...event,
        type: 'page_view',
        texts: { page: page(random), referrer: random.pick(['search', 'direct', 'email']) },
      };
    case 'item_click':
      return { ...event, type: 'item_click', texts: { item_id: item(), category: 'c' } };
    case 'cart_add':
      return {
        ...event,
        type: 'cart_add',
        texts: { item_id: item(), category: 'c' },
        quantity: 1 + random.below(7),
        price: BigInt(random.below(random.oneIn(3) ? 20 : 100_000)),
      };
    case 'purchase': {
      const bought = Array.from({ length: 1 + random.below(4) }, () => ({
        item: item(),
        quantity: 1 + random.below(4),
      }));
      return {
        ...event,
        type: 'purchase',
        texts: { currency: 'EUR' },
        bought,
        amount: BigInt(random.below(1_000_000)),
      };
    }
    case 'search':
      return { ...event, type: 'search', texts: { search_query: 'shoe' } };
    default:
      return { ...event, type: 'user_login', texts: { login_method: 'sso' } };
  }
}

const page = (random: SeededRandom): string => random.pick(['product', 'product', 'home', 'cart', 'checkout']);

function idOf(seed: number, made: number): string {
  return `${seed.toString(16).padStart(8, '0')}-0000-4000-8000-${made.toString(16).padStart(12, '0')}`;
}

/** The same events in another order. */
function shuffled<T>(random: SeededRandom, list: readonly T[]): T[] {
  const left = [...list];
  return list.flatMap(() => left.splice(random.below(left.length), 1));
}

/** Microseconds since 1970 of ISO text without fractions below milliseconds. */
export function micros(iso: string): bigint {
  return BigInt(Date.parse(iso)) * 1000n;
}

/** ISO text of an instant, with six digits behind the second. */
export function isoMicros(at: bigint): string {
  const below = ((at % 1000n) + 1000n) % 1000n;
  return `${new Date(Number((at - below) / 1000n)).toISOString().slice(0, -1)}${String(below).padStart(3, '0')}Z`;
}

const money = (cents: bigint): string => (Number(cents) / 100).toFixed(2);

/** Puts events into the table, as if ingestion had committed them; `late` marks them as late and not applied. */
export async function insertReferenceEvents(
  pool: pg.Pool,
  schema: string,
  { events, late }: { events: readonly ReferenceEvent[]; late?: LateMark },
): Promise<void> {
  const tables = quoteSchema(schema);
  const rows = events.map(({ id, at, type, user, device, location, texts, quantity, price, bought, amount }) => ({
    event_id: id,
    occurred_at: isoMicros(at),
    event_type: type,
    user_id: user,
    device,
    location,
    ...texts,
    session_id: 's',
    schema_version: 1,
    kafka_partition: 0,
    kafka_offset: 0,
    kafka_timestamp: isoMicros(at),
    ...(type === 'cart_add' ? { quantity, price: money(price) } : {}),
    ...(type === 'purchase'
      ? {
          items: bought.map(({ item }) => item),
          quantities: bought.map((line) => line.quantity),
          total_amount: money(amount),
        }
      : {}),
  }));
  const json = JSON.stringify(rows);
  await pool.query(
    `select ${tables}.ensure_event_days(array(select distinct (occurred_at at time zone 'UTC')::date
       from jsonb_to_recordset($1::jsonb) as r (occurred_at timestamptz)))`,
    [json],
  );
  const marks = late
    ? `insert into ${tables}.late_events (event_id, occurred_at, kafka_partition, kafka_offset, closed_through, beyond_horizon)
       select event_id, occurred_at, 0, 0, $2::timestamptz, $3::boolean from jsonb_populate_recordset(null::${tables}.events, $1::jsonb) returning 1`
    : 'select $2::timestamptz, $3::boolean';
  await pool.query(
    `with marked as (${marks}), added as (
       insert into ${tables}.events select * from jsonb_populate_recordset(null::${tables}.events, $1::jsonb) returning 1
     ) select count(*) from added`,
    [json, late?.closedThrough ?? null, late?.beyondHorizon ?? false],
  );
}

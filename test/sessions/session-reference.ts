// Sessions and funnels of a list of events, told as plainly as they can be: no SQL, none of the product's code, no thought of
// speed. Instants are microseconds since 1970, money is cents; both are bigints, so that nothing is ever rounded by accident.

export type ReferenceEvent = {
  readonly id: string;
  readonly at: bigint;
  readonly type: string;
  readonly user: string;
  readonly device: string;
  readonly location: string;
  /** Own fields that hold text, such as page, referrer or item_id; those of other types are absent. */
  readonly texts: Readonly<Record<string, string>>;
  /** Of a cart_add; 0 elsewhere. */
  readonly quantity: number;
  readonly price: bigint;
  /** Of a purchase; empty and 0 elsewhere. */
  readonly bought: readonly { readonly item: string; readonly quantity: number }[];
  readonly amount: bigint;
};

export type ReferenceRules = { readonly gapMs: number; readonly maxMs: number };
export type ReferenceFunnel = {
  readonly name: string;
  readonly withinMs: number;
  readonly steps: readonly {
    readonly name: string;
    readonly type: string;
    readonly where?: Readonly<Record<string, string>>;
  }[];
};

export type ReferenceSession = {
  readonly user: string;
  readonly start: bigint;
  readonly end: bigint;
  readonly activeSince: bigint;
  readonly cut: boolean;
  readonly open: boolean;
  readonly counts: Readonly<Record<'events' | 'pages' | 'clicks' | 'searches' | 'cartAdds' | 'orders', number>>;
  readonly revenue: bigint;
  readonly cartLeft: bigint;
  readonly device: string;
  readonly location: string;
  readonly entryPage: string | null;
  readonly exitPage: string | null;
  readonly firstReferrer: string | null;
  readonly bounced: boolean;
  readonly funnels: Readonly<Record<string, readonly bigint[]>>;
};

const MINUTE = 60_000_000n;
const micros = (ms: number): bigint => BigInt(ms) * 1000n;

/** Rounds down, also below 0. */
const floorDivide = (value: bigint, by: bigint): bigint => (value - (((value % by) + by) % by)) / by;
/** Rounds half up; of numbers that are not below 0. */
const roundedShare = (value: bigint, of: bigint): bigint => (2n * value + of) / (2n * of);
const byTime = (one: { at: bigint }, other: { at: bigint }): number =>
  one.at < other.at ? -1 : Number(one.at > other.at);
const byCodePoint = (one: string, other: string): number => Buffer.compare(Buffer.from(one), Buffer.from(other));

/** `closedThrough`: how far sessions have been closed, where that is not as far as the events. */
export type Reference = {
  readonly rules: ReferenceRules;
  readonly funnels: readonly ReferenceFunnel[];
  readonly through: bigint;
  readonly closedThrough?: bigint;
};

/** All sessions of the events before `through`, closed and open, by user and start. */
export function referenceSessions(
  events: readonly ReferenceEvent[],
  { rules, funnels, through, closedThrough = through }: Reference,
): ReferenceSession[] {
  const ofUser = new Map<string, ReferenceEvent[]>();
  for (const event of events.filter(({ at }) => at < through)) {
    const theirs = ofUser.get(event.user);
    if (theirs) theirs.push(event);
    else ofUser.set(event.user, [event]);
  }
  const users = [...ofUser].toSorted(([one], [other]) => byCodePoint(one, other));
  return users.flatMap(([user, anyOrder]) => {
    const theirs = anyOrder.toSorted(byTime);
    return islandsOf(theirs, rules).flatMap((island) => {
      const parts = partsOf(island, rules);
      return parts.map((part, index) => {
        const cut = index < parts.length - 1;
        const lastAt = part.at(-1)?.at;
        // Who is in another session has ended this one.
        const open = lastAt === theirs.at(-1)?.at && (lastAt ?? 0n) >= closedThrough - micros(rules.gapMs);
        return sessionOf(part, { user, activeSince: island[0]?.at ?? 0n, cut, open, funnels });
      });
    });
  });
}

/** Every event begins an island of its own, and joins the island before it if that ends at most a gap earlier. */
function islandsOf(sorted: readonly ReferenceEvent[], { gapMs }: ReferenceRules): ReferenceEvent[][] {
  const islands: ReferenceEvent[][] = [];
  for (const event of sorted) {
    const last = islands.at(-1);
    const lastAt = last?.at(-1)?.at;
    if (last && lastAt !== undefined && event.at - lastAt <= micros(gapMs)) last.push(event);
    else islands.push([event]);
  }
  return islands;
}

/** An island cut every maximum from the minute of its first event on; cuts that hold no event make no part. */
function partsOf(island: readonly ReferenceEvent[], { maxMs }: ReferenceRules): ReferenceEvent[][] {
  let cutAt = floorDivide(island[0]?.at ?? 0n, MINUTE) * MINUTE + micros(maxMs);
  const parts: ReferenceEvent[][] = [[]];
  for (const event of island) {
    if (event.at >= cutAt) parts.push([]);
    while (event.at >= cutAt) cutAt += micros(maxMs);
    parts.at(-1)?.push(event);
  }
  return parts;
}

type Known = { user: string; activeSince: bigint; cut: boolean; open: boolean; funnels: readonly ReferenceFunnel[] };

function sessionOf(events: readonly ReferenceEvent[], { funnels, ...known }: Known): ReferenceSession {
  const start = events[0]?.at ?? 0n;
  const ofType = (type: string): readonly ReferenceEvent[] => events.filter((event) => event.type === type);
  const views = ofType('page_view');
  const together = (instant: bigint | undefined, among: readonly ReferenceEvent[]): readonly ReferenceEvent[] =>
    among.filter(({ at }) => at === instant);
  const least = (texts: readonly (string | undefined)[]): string | null =>
    texts.filter((text) => text !== undefined).toSorted(byCodePoint)[0] ?? null;
  const greatest = (texts: readonly (string | undefined)[]): string | null =>
    texts
      .filter((text) => text !== undefined)
      .toSorted(byCodePoint)
      .at(-1) ?? null;
  const firstViews = together(views[0]?.at, views);
  const lastViews = together(views.at(-1)?.at, views);
  const counts = {
    events: events.length,
    pages: views.length,
    clicks: ofType('item_click').length,
    searches: ofType('search').length,
    cartAdds: ofType('cart_add').length,
    orders: ofType('purchase').length,
  };
  return {
    ...known,
    start,
    end: events.at(-1)?.at ?? 0n,
    counts,
    revenue: events.reduce((sum, { amount }) => sum + amount, 0n),
    cartLeft: cartLeftOf(events),
    device: least(together(start, events).map(({ device }) => device)) ?? '',
    location: least(together(start, events).map(({ location }) => location)) ?? '',
    entryPage: least(firstViews.map(({ texts }) => texts['page'])),
    exitPage: greatest(lastViews.map(({ texts }) => texts['page'])),
    firstReferrer: least(firstViews.map(({ texts }) => texts['referrer'])),
    bounced: counts.pages < 2 && counts.clicks + counts.searches + counts.cartAdds + counts.orders === 0,
    funnels: Object.fromEntries(
      funnels
        .map((funnel) => [funnel.name, stepsReached(events, funnel)] as const)
        .filter(([, times]) => times.length > 0),
    ),
  };
}

/** Cents of what was put into the cart and not bought: each item's average price, times the pieces left. */
function cartLeftOf(events: readonly ReferenceEvent[]): bigint {
  const items = new Set(events.map(({ texts }) => texts['item_id'] ?? ''));
  let left = 0n;
  for (const item of items) {
    const adds = events.filter(({ type, texts }) => type === 'cart_add' && texts['item_id'] === item);
    const pieces = adds.reduce((sum, { quantity }) => sum + BigInt(quantity), 0n);
    const value = adds.reduce((sum, { quantity, price }) => sum + BigInt(quantity) * price, 0n);
    const bought = events
      .flatMap((event) => event.bought)
      .filter((line) => line.item === item)
      .reduce((sum, { quantity }) => sum + BigInt(quantity), 0n);
    if (pieces > bought) left += roundedShare(value * (pieces - bought), pieces);
  }
  return left;
}

/** When each step was reached, as far as the session came. */
function stepsReached(events: readonly ReferenceEvent[], { steps, withinMs }: ReferenceFunnel): bigint[] {
  const times: bigint[] = [];
  for (const { type, where = {} } of steps) {
    const first = times[0];
    const before = times.at(-1);
    const found = events.find(
      (event) =>
        event.type === type &&
        Object.entries(where).every(([field, value]) => event.texts[field] === value) &&
        (before === undefined || event.at > before) &&
        (first === undefined || event.at <= first + micros(withinMs)),
    );
    if (!found) break;
    times.push(found.at);
  }
  return times;
}

export type ReferenceFunnelRow = {
  readonly window: bigint;
  readonly funnel: string;
  readonly device: string;
  readonly location: string;
  readonly step: number;
  readonly stepName: string;
  readonly sessions: number;
  readonly reached: number;
  /** Ten thousandths; null where nobody came. */
  readonly conversion: bigint | null;
  readonly overall: bigint | null;
  readonly dropOff: number;
  /** Microseconds since the step before. */
  readonly median: bigint | null;
  readonly p90: bigint | null;
  readonly revenue: bigint;
};

const WINDOW = 10n * MINUTE;

/** The funnels' rows over these sessions, whatever of them is open. */
export function referenceFunnel(
  sessions: readonly ReferenceSession[],
  funnels: readonly ReferenceFunnel[],
): ReferenceFunnelRow[] {
  const groups = new Map<string, ReferenceSession[]>();
  for (const session of sessions) {
    const key = JSON.stringify([String(windowOf(session)), session.device, session.location]);
    groups.set(key, [...(groups.get(key) ?? []), session]);
  }
  return [...groups.values()].flatMap((group) =>
    funnels.flatMap((funnel) => funnel.steps.map((_, place) => funnelRow(group, funnel, place))),
  );
}

/** Start of the window that a session counts in. */
export function windowOf({ start }: ReferenceSession): bigint {
  return floorDivide(start, WINDOW) * WINDOW;
}

function funnelRow(group: readonly ReferenceSession[], funnel: ReferenceFunnel, place: number): ReferenceFunnelRow {
  const timesOf = ({ funnels }: ReferenceSession): readonly bigint[] => funnels[funnel.name] ?? [];
  const thatReached = (step: number): readonly ReferenceSession[] => group.filter((one) => timesOf(one).length >= step);
  const reached = thatReached(place + 1);
  // Nobody has to do anything to be among the sessions: that is step 0.
  const came = thatReached(place).length;
  const entered = thatReached(1).length;
  const waits = reached.map((one) => (timesOf(one)[place] ?? 0n) - (timesOf(one)[place - 1] ?? 0n));
  const sorted = place === 0 ? [] : waits.toSorted((one, other) => (one < other ? -1 : Number(one > other)));
  const tenThousandths = (part: number, of: number): bigint | null =>
    of === 0 ? null : roundedShare(10_000n * BigInt(part), BigInt(of));
  const [first] = group;
  return {
    window: first ? windowOf(first) : 0n,
    funnel: funnel.name,
    device: first?.device ?? '',
    location: first?.location ?? '',
    step: place + 1,
    stepName: funnel.steps[place]?.name ?? '',
    sessions: group.length,
    reached: reached.length,
    conversion: tenThousandths(reached.length, came),
    overall: tenThousandths(reached.length, entered),
    dropOff: came - reached.length,
    median: sorted[Math.ceil(0.5 * sorted.length) - 1] ?? null,
    p90: sorted[Math.ceil(0.9 * sorted.length) - 1] ?? null,
    revenue: reached.reduce((sum, { revenue }) => sum + revenue, 0n),
  };
}

// The shop in one segment of a schedule: what happens at each index, and when it happened.
import { must } from '../pipeline/ensure.ts';
import { utcHour } from './day-rhythm.ts';
import { isOfNewerSchema, lacksOptional } from './disorder.ts';
import { spreadOf } from './duplicates.ts';
import type { Duplicates } from './duplicates.ts';
import { createTimeWriter } from './event-time.ts';
import type { GeneratorSpec } from './generator-spec.ts';
import { dueMs } from './pace.ts';
import type { Segment } from './pace.ts';
import { hashUnder } from './seeded-chance.ts';
import { createScale } from './scale.ts';
import type { SessionBlock } from './session-block.ts';
import { sessionText } from './session-text.ts';
import type { SessionText } from './session-text.ts';
import { shopEventJson } from './shop-event.ts';
import { Timeline } from './timeline.ts';
import type { Moment } from './timeline.ts';
import { KIND } from './walk.ts';
import type { World } from './world.ts';

type ShopEvent = { readonly text: SessionText; readonly json: string };

/** The hash that decides everything about event or message `index` but its session and its time. */
export const messageHash = (world: World, index: number): number => hashUnder(world.key ^ 0x6d736773, index);

type ShopSetting = {
  readonly world: World;
  readonly spec: GeneratorSpec;
  readonly duplicates: Duplicates;
  readonly segment: Segment;
};

export class Shop {
  readonly #setting: ShopSetting;
  readonly #timeline: Timeline;
  readonly #texts = new WeakMap<SessionBlock, (SessionText | undefined)[]>();
  readonly #timeText = createTimeWriter();
  readonly #msPerPlace: number;
  readonly #namesVersions: boolean;

  constructor(setting: ShopSetting) {
    this.#setting = setting;
    const { world, spec, segment } = setting;
    const scale = createScale(spec);
    // Sessions that began before the segment did are of the people of its first hour.
    const hourAt = (place: number): number => utcHour(Math.max(segment.startMs, this.#dueMs(Math.floor(place))));
    this.#timeline = new Timeline({ world, spec, scale, hourAt }, spreadOf(spec));
    this.#msPerPlace = 1_000 / spec.rate;
    this.#namesVersions = (spec.missingOptional ?? 0) > 0;
  }

  /** Event `index`: who, what, and its JSON. Pure: asked again, it is the same. */
  event(index: number): ShopEvent {
    const { world, spec } = this.#setting;
    const moment = this.#timeline.at(index);
    const { block, step } = moment;
    const text = this.#text(moment);
    const chance = messageHash(world, index);
    const happenedMs = this.#happenedMs(block, step, index);
    const occurredAtMs = Math.max(0, happenedMs + text.aheadMs);
    const durationMs = this.#durationMs(moment, happenedMs);
    const version = isOfNewerSchema(spec, chance) ? 2 : 1;
    const isSparse = lacksOptional(spec, chance);
    const namesVersion = version === 2 || (!isSparse && this.#namesVersions);
    const time = this.#timeText(occurredAtMs);
    const { steps } = block;
    const happening = {
      index,
      chance,
      steps,
      step,
      occurredAtMs,
      time,
      durationMs,
      version,
      namesVersion,
      isSparse,
    } as const;
    return { text, json: shopEventJson(world, happening, text) };
  }

  #text({ block, step, session }: Moment): SessionText {
    let texts = this.#texts.get(block);
    if (texts === undefined) {
      texts = [];
      this.#texts.set(block, texts);
    }
    const nth = must(block.sessionOf[step], 'a session per step');
    const { world, spec } = this.#setting;
    return (texts[nth] ??= sessionText(world, spec, session));
  }

  #dueMs(index: number): number {
    const { segment, duplicates } = this.#setting;
    return dueMs(segment, duplicates.messageOf(index));
  }

  /**
   * When a step happened: when it is told, or, out of order, when it would have been told at once; never longer ago than asked
   * for, even where the schedule has become slower than the spec.
   */
  #happenedMs(block: SessionBlock, step: number, place: number): number {
    const dueAtMs = this.#dueMs(place);
    const happensAt = block.happensAt?.[step] ?? -1;
    if (happensAt < 0) return dueAtMs;
    const happenedAt = this.#timeline.placeAt(block, happensAt);
    return Math.max(this.#dueMs(happenedAt), dueAtMs - this.#setting.spec.disorderMs);
  }

  /** How long a page was looked at: until the session's next event, or at its end as long as one would. */
  #durationMs({ block, step, session }: Moment, happenedMs: number): number {
    const kind = block.steps.kind[step];
    if (kind !== KIND.view && kind !== KIND.cart && kind !== KIND.checkout) return 0;
    const next = step + 1;
    if (next === session.endStep) return (block.steps.dwellMs[step] ?? 0) * session.stretch * this.#msPerPlace;
    return this.#happenedMs(block, next, this.#timeline.placeOf(block, next)) - happenedMs;
  }
}

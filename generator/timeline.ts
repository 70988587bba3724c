// The timeline: which step of which session each place of the world is, found from the place alone.
//
// Every block has the same number of steps, and each is told in its block's span or in the next one. So before span b lie all
// steps of the blocks before b - 1, and those of block b - 1 that are told within its own span: a sum, not a search.
// Blocks are made when they are first asked for and the last few are kept: whoever goes through a world in order, or resumes
// anywhere in it, makes each block once.
import { must } from '../pipeline/ensure.ts';
import { createBlock } from './session-block.ts';
import type { BlockSetting, Session, SessionBlock } from './session-block.ts';

/** A step of a session, and the block that it stands in. */
export type Moment = { readonly block: SessionBlock; readonly step: number; readonly session: Session };

/** Places `firstPlace` to, not including, `endPlace`; by place: a step, of the block before (0) or of the span's own (1). */
type Span = {
  readonly firstPlace: number;
  readonly endPlace: number;
  readonly steps: Uint32Array;
  readonly isOwn: Uint8Array;
  readonly before: SessionBlock;
  readonly own: SessionBlock;
};

/** Enough for who goes through a world at two points at once, besides what lies between nearby messages. */
const KEPT = 7;

export class Timeline {
  readonly #setting: BlockSetting;
  readonly #blocks = new Map<number, SessionBlock>();
  readonly #spans = new Map<number, Span>();
  readonly #kept: number;
  #span: Span | null = null;

  /** `spread`: how many places apart those may lie that are asked for one after the other. */
  constructor(setting: BlockSetting, spread: number) {
    this.#setting = setting;
    this.#kept = KEPT + Math.ceil(spread / setting.scale.places);
  }

  /** What happens at a place (0, 1, 2, ...) of the world. */
  at(place: number): Moment {
    let span = this.#span;
    if (span === null || place < span.firstPlace || place >= span.endPlace) span = this.#spanAround(place);
    const within = place - span.firstPlace;
    const block = span.isOwn[within] === 1 ? span.own : span.before;
    const step = span.steps[within] ?? 0;
    return { block, step, session: must(block.sessions[block.sessionOf[step] ?? 0], 'a session per step') };
  }

  /** The place at which a step of a block is told. */
  placeOf(block: SessionBlock, step: number): number {
    const known = block.places[step] ?? -1;
    if (known >= 0) return known;
    const isWithin = (block.toldAt[step] ?? 0) < this.#setting.scale.places;
    this.#layOut(isWithin ? block.number : block.number + 1);
    return must(this.#block(block.number).places[step], 'a place per step');
  }

  /** The last place that is told by a moment of a block's time. */
  placeAt({ number }: SessionBlock, moment: number): number {
    const { places } = this.#setting.scale;
    const isWithin = moment < places;
    const span = isWithin ? number : number + 1;
    const within = isWithin ? moment : moment - places;
    let place = this.#firstPlace(span) + toldBy(this.#block(span), within);
    if (span > 0) {
      const before = this.#block(span - 1);
      place += toldBy(before, within + places) - before.within;
    }
    return Math.max(0, place - 1);
  }

  #spanAround(place: number): Span {
    let number = Math.floor(place / this.#setting.scale.places);
    if (this.#firstPlace(number + 1) <= place) number += 1;
    this.#span = this.#keep(this.#spans, number, () => this.#layOut(number));
    return this.#span;
  }

  #firstPlace(number: number): number {
    return number <= 0 ? 0 : (number - 1) * this.#setting.scale.places + this.#block(number - 1).within;
  }

  #block(number: number): SessionBlock {
    return this.#keep(this.#blocks, number, () => createBlock(this.#setting, number));
  }

  /** Merges what is left of the block before with what is told of this one within its span. */
  #layOut(number: number): Span {
    const own = this.#block(number);
    const before = number > 0 ? this.#block(number - 1) : own;
    const { places } = this.#setting.scale;
    const firstPlace = this.#firstPlace(number);
    let nth = number > 0 ? before.within : places;
    const size = places - nth + own.within;
    const [steps, isOwn] = [new Uint32Array(size), new Uint8Array(size)];
    let ownNth = 0;
    for (let at = 0; at < size; at++) {
      const earlier = before.order[nth] ?? 0;
      const later = own.order[ownNth] ?? 0;
      const isEarlier = (before.toldAt[earlier] ?? 0) - places <= (own.toldAt[later] ?? 0);
      if (nth < places && (ownNth >= own.within || isEarlier)) {
        nth += 1;
        steps[at] = earlier;
        before.places[earlier] = firstPlace + at;
      } else {
        ownNth += 1;
        steps[at] = later;
        isOwn[at] = 1;
        own.places[later] = firstPlace + at;
      }
    }
    return { firstPlace, endPlace: firstPlace + size, steps, isOwn, before, own };
  }

  /** The value of a number, made when it is missing; of the values only the last few made are kept. */
  #keep<T>(values: Map<number, T>, number: number, make: () => T): T {
    const known = values.get(number);
    if (known !== undefined) return known;
    const made = make();
    values.set(number, made);
    if (values.size > this.#kept) {
      const oldest = values.keys().next();
      if (!oldest.done) values.delete(oldest.value);
    }
    return made;
  }
}

/** How many steps of a block are told by a moment of its time. */
function toldBy({ order, toldAt }: SessionBlock, moment: number): number {
  let [from, to] = [0, order.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((toldAt[order[middle] ?? 0] ?? 0) <= moment) from = middle + 1;
    else to = middle;
  }
  return from;
}

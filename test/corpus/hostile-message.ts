// One hostile message: a claim about it, the verdict that belongs to it, and the ways in which a valid message is spoilt.
import type { EventType } from '../../pipeline/event.ts';
import type { Header, Message } from '../../pipeline/message.ts';
import { KAFKA_MS, VALID } from '../pipeline/valid-messages.ts';

/**
 * `verdict`: "event", or the reason and the field of the rejection: "wrong_field position". `says`: what an event must say
 * in these fields. `extra`: what it must keep as JSON text.
 */
export type HostileMessage = {
  readonly claim: string;
  readonly verdict: string;
  readonly value: Buffer | null;
  readonly key: Buffer | null;
  readonly headers: readonly Header[];
  readonly timestampMs: number;
  readonly says: Readonly<Record<string, unknown>>;
  readonly extra: string | null | undefined;
};

type More = Partial<Pick<HostileMessage, 'key' | 'headers' | 'timestampMs' | 'says' | 'extra'>>;
export type Row = readonly [claim: string, verdict: string, value: Buffer | string | null, more?: More];

export function hostile([claim, verdict, value, more = {}]: Row): HostileMessage {
  return {
    claim,
    verdict,
    value: typeof value === 'string' ? Buffer.from(value) : value,
    key: more.key ?? null,
    headers: more.headers ?? [],
    timestampMs: more.timestampMs ?? KAFKA_MS,
    says: more.says ?? {},
    extra: more.extra,
  };
}

/** As it is read back from offset `offset`. */
export function asMessage({ timestampMs, key, value, headers }: HostileMessage, offset = 0): Message {
  return { offset, timestampMs, key, value, headers };
}

let ids = 0;

/** Every message has an id of its own, so that none is another's duplicate. */
function freshId(): string {
  ids += 1;
  return `c0ffee00-0000-4000-8000-${ids.toString(16).padStart(12, '0')}`;
}

/** JSON of a valid message with these fields replaced; undefined leaves a field out. */
export function json(type: EventType, fields: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ ...VALID[type], event_id: freshId(), ...fields });
}

const PLACE = '@place@';

/** The same with `text` as it stands for the value of one field. */
export function raw(type: EventType, field: string, text: string): string {
  return json(type, { [field]: PLACE })
    .split(`"${PLACE}"`)
    .join(text);
}

/** The same with `text` as one more member at its end. */
export function member(type: EventType, text: string): string {
  return `${json(type).slice(0, -1)},${text}}`;
}

/** The same with these bytes inside the text of one field. */
export function bytesIn(type: EventType, field: string, bytes: readonly number[]): Buffer {
  const [before = '', after = ''] = json(type, { [field]: `a${PLACE}b` }).split(PLACE);
  return Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]);
}

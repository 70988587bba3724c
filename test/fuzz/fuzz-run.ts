// A run of the fuzzer: seeded messages, one trial each, and what came of them.
import type { Message } from '../../pipeline/message.ts';
import type { ParseRules } from '../../pipeline/parse-message.ts';
import { CORPUS } from '../corpus/corpus.ts';
import { json } from '../corpus/hostile-message.ts';
import { KAFKA_MS, RULES, VALID } from '../pipeline/valid-messages.ts';
import { EVENT_TYPES } from '../../pipeline/event.ts';
import { REJECTION_REASONS } from '../../pipeline/rejection.ts';
import { minimised } from './minimise.ts';
import { mutated } from './mutations.ts';
import { SeededRandom } from './seeded-random.ts';
import { tryMessage } from './trial.ts';

type FuzzFailure = {
  /** The message's number under the seed. */
  readonly number: number;
  readonly complaint: string;
  readonly timestampMs: number;
  /** The smallest value found that still fails, in base64. */
  readonly valueBase64: string;
};

export type FuzzReport = {
  readonly seed: number;
  readonly messages: number;
  readonly seconds: number;
  readonly events: number;
  readonly rejectedByReason: Readonly<Record<string, number>>;
  /** Reasons that no message was refused for, of those that a parser can give: `unstorable` is PostgreSQL's word. */
  readonly notReached: readonly string[];
  readonly slowest: { readonly number: number; readonly milliseconds: number; readonly bytes: number };
  readonly failures: readonly FuzzFailure[];
};

type FuzzInput = {
  readonly seed: number;
  readonly messages: number;
  readonly onProgress?: (done: number, failures: number) => void;
  /** Gets every message that has passed its trial. */
  readonly onPassed?: (message: Message, rules: ParseRules) => void;
  /** Ends the run at the next progress; the report says how far it came. */
  readonly stop?: AbortSignal;
};

const LARGE_BYTES = 4_096;
/** A large base costs a hundred times what a small one does. */
const ONE_LARGE_IN = 4_000;
/** The same for one as long as a message may be, or a byte more or less: chance alone hardly comes there. */
const ONE_LONGEST_IN = 5_000;
const LONGEST_BYTES = 1_048_576;
const MOST_FAILURES = 10;
const NEVER = new AbortController().signal;
const PROGRESS_EVERY = 50_000;
const TIMESTAMPS = [KAFKA_MS, -1, 0, KAFKA_MS - 300_001, 2 ** 62] as const;
const RETENTION: ParseRules = { ...RULES, retentionMs: 3_600_000 };

type Bases = readonly [Buffer, ...Buffer[]];
const valid = (): Bases => {
  const [first, ...rest] = EVENT_TYPES.flatMap((type) => [
    Buffer.from(json(type)),
    Buffer.from(json(type, { schema_version: 2, ...(type === 'purchase' ? { coupon_code: 'SPRING' } : {}) })),
  ]);
  return [first ?? Buffer.from(JSON.stringify(VALID.search)), ...rest];
};
const corpusValues = (isWanted: (bytes: number) => boolean): Bases => [
  Buffer.from('{}'),
  ...CORPUS.flatMap(({ value }) => (value !== null && isWanted(value.length) ? [value] : [])),
];
const VALUES = {
  valid: valid(),
  small: corpusValues((bytes) => bytes > 0 && bytes <= LARGE_BYTES),
  large: corpusValues((bytes) => bytes > LARGE_BYTES),
};

function baseOf(random: SeededRandom): Buffer {
  if (random.oneIn(ONE_LARGE_IN)) return random.pick(VALUES.large);
  return random.pick(random.below(3) === 0 ? VALUES.small : VALUES.valid);
}

function longest(base: Buffer, random: SeededRandom): Buffer {
  const length = LONGEST_BYTES - 1 + random.below(3);
  return Buffer.concat([base, Buffer.alloc(length - base.length, ' ')]);
}

/** The message with this number under the seed, and the rules that judge it. */
function fuzzedMessage(seed: number, number: number): { message: Message; rules: ParseRules } {
  const random = new SeededRandom(seed, number);
  const spoilt = mutated(baseOf(random), random, random.pick(VALUES.small));
  const value = random.oneIn(ONE_LONGEST_IN) ? longest(random.pick(VALUES.valid), random) : spoilt;
  const timestampMs = random.oneIn(8) ? random.pick(TIMESTAMPS) : KAFKA_MS;
  const message = { offset: number, timestampMs, key: null, value, headers: [] };
  return { message, rules: random.oneIn(10) ? RETENTION : RULES };
}

/** Tries messages 0 to `messages` - 1 of the seed; ends early at the tenth failure, or when asked to stop. */
export async function fuzz({ seed, messages, onProgress, onPassed, stop = NEVER }: FuzzInput): Promise<FuzzReport> {
  const startedMs = performance.now();
  const rejectedByReason: Record<string, number> = {};
  const failures: FuzzFailure[] = [];
  let events = 0;
  let slowest = { number: -1, milliseconds: 0, bytes: 0 };
  let number = 0;
  for (; number < messages && failures.length < MOST_FAILURES && !stop.aborted; number += 1) {
    const { message, rules } = fuzzedMessage(seed, number);
    const { verdict, tookMs, complaint } = tryMessage(message, rules);
    if (tookMs > slowest.milliseconds) slowest = { number, milliseconds: tookMs, bytes: message.value?.length ?? 0 };
    if (complaint !== null) failures.push(failureOf(number, message, { rules, complaint }));
    else onPassed?.(message, rules);
    const reason = verdict?.rejection?.reason;
    if (reason === undefined) events += 1;
    else rejectedByReason[reason] = (rejectedByReason[reason] ?? 0) + 1;
    if ((number + 1) % PROGRESS_EVERY === 0) {
      onProgress?.(number + 1, failures.length);
      // A signal arrives only when the process has nothing else to do.
      await new Promise(setImmediate);
    }
  }
  const seconds = (performance.now() - startedMs) / 1000;
  const notReached = REJECTION_REASONS.filter((reason) => reason !== 'unstorable' && !(reason in rejectedByReason));
  return { seed, messages: number, seconds, events, rejectedByReason, notReached, slowest, failures };
}

function failureOf(
  number: number,
  message: Message,
  { rules, complaint }: { rules: ParseRules; complaint: string },
): FuzzFailure {
  const kindOf = (said: string | null): string | undefined => said?.split(/[ :]/)[0];
  const small = minimised(message.value ?? Buffer.alloc(0), (value) => {
    return kindOf(tryMessage({ ...message, value }, rules).complaint) === kindOf(complaint);
  });
  return { number, complaint, timestampMs: message.timestampMs, valueBase64: small.toString('base64') };
}

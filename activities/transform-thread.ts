// A transform at work: a person's function in a thread of its own, with limits on time and memory, one letter at a time.
//
// States: closed (no thread; the first letter starts one), ready (a thread waits), at work (it has a letter, and so many ms).
// Whatever goes wrong with a letter is the answer for that letter; a thread that hangs or dies is replaced for the next one.
import { Worker } from 'node:worker_threads';

import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';

import { messageOf } from '../pipeline/ensure.ts';
import { withMembers } from '../pipeline/json-edit.ts';
import type { Header } from '../pipeline/message.ts';
import { jsonObjectIn } from '../pipeline/repair.ts';
import { firstBadByte } from '../pipeline/text-faults.ts';
import type { LetterToReplay } from '../postgres/replayed-letters.ts';

export type Transformed =
  | { readonly kind: 'same' }
  | { readonly kind: 'changed'; readonly value: Buffer }
  | { readonly kind: 'left-out' }
  | { readonly kind: 'failed'; readonly why: string };

export type TransformLimits = { readonly loadMs: number; readonly letterMs: number; readonly memoryMb: number };

/** The module of the transform cannot be used: it does not load, or exports no function. No letter can be transformed by it. */
export class UnusableTransformError extends Error {
  override readonly name = 'UnusableTransformError';
}

const PROGRAM = new URL('./transform-program.js', import.meta.url);
/** Much more than any honest function needs, because the time is that of a wall clock on a machine that has other work. */
const LIMITS: TransformLimits = { loadMs: 10_000, letterMs: 2_000, memoryMb: 128 };

const Answer = Type.Union([
  Type.Object({ kind: Type.Literal('ready') }),
  Type.Object({ kind: Type.Literal('unusable'), why: Type.String() }),
  Type.Object({ kind: Type.Literal('same') }),
  Type.Object({ kind: Type.Literal('left-out') }),
  Type.Object({ kind: Type.Literal('failed'), why: Type.String() }),
  Type.Object({ kind: Type.Literal('text'), text: Type.String() }),
  Type.Object({ kind: Type.Literal('bytes'), bytes: Type.Uint8Array() }),
  Type.Object({ kind: Type.Literal('members'), members: Type.Array(Type.Tuple([Type.String(), Type.String()])) }),
]);
type Answer = Static<typeof Answer>;

export class TransformThread {
  readonly #source: string;
  readonly #limits: TransformLimits;
  readonly #onOutput: (text: string) => void;
  #thread: Worker | null = null;

  /** `source`: JavaScript that exports the function by default. `onOutput` gets what it prints. */
  constructor(
    source: string,
    { limits = LIMITS, onOutput = () => {} }: { limits?: TransformLimits; onOutput?: (text: string) => void } = {},
  ) {
    this.#source = source;
    this.#limits = limits;
    this.#onOutput = onOutput;
  }

  /** Starts the thread. Throws UnusableTransformError. */
  async open(): Promise<void> {
    const { loadMs, memoryMb } = this.#limits;
    const thread = new Worker(PROGRAM, {
      workerData: { source: this.#source },
      resourceLimits: { maxOldGenerationSizeMb: memoryMb, maxYoungGenerationSizeMb: 32 },
      // Nobody's passwords are a transform's business.
      env: {},
      execArgv: [],
      stdin: false,
      stdout: true,
      stderr: true,
    });
    thread.stdout.setEncoding('utf8').on('data', this.#onOutput);
    thread.stderr.setEncoding('utf8').on('data', this.#onOutput);
    // Between two letters nobody else listens; the next letter finds out.
    thread.on('error', () => {});
    this.#thread = thread;
    const answer = await this.#answer(thread, loadMs).catch((error: unknown) => messageOf(error));
    if (typeof answer !== 'string' && answer.kind === 'ready') return;
    await this.close();
    const why = typeof answer === 'string' ? answer : 'why' in answer ? answer.why : 'it said something else first';
    throw new UnusableTransformError(`The transform cannot be used: ${why}.`);
  }

  /** What the function makes of the letter, whose value may have been repaired before. Throws UnusableTransformError only. */
  async apply(letter: LetterToReplay): Promise<Transformed> {
    if (this.#thread === null) await this.open();
    const thread = this.#thread;
    if (thread === null) return { kind: 'failed', why: 'the transform did not start' };
    try {
      const answering = this.#answer(thread, this.#limits.letterMs);
      thread.postMessage(givenOf(letter), []);
      return transformedBy(await answering, letter.value);
    } catch (error) {
      await this.close();
      return { kind: 'failed', why: `the transform ${messageOf(error)}` };
    }
  }

  async close(): Promise<void> {
    const thread = this.#thread;
    this.#thread = null;
    await thread?.terminate();
  }

  async #answer(thread: Worker, withinMs: number): Promise<Answer> {
    let forget = (): void => {};
    const answer = new Promise<unknown>((resolve, reject) => {
      const onError = (error: unknown): void => {
        const isFull = error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
        reject(new Error(isFull ? `took more than ${this.#limits.memoryMb} MiB` : `died: ${messageOf(error)}`));
      };
      const onExit = (): void => reject(new Error('ended its thread'));
      const timer = setTimeout(() => reject(new Error(`took longer than ${withinMs} ms`)), withinMs);
      thread.once('message', resolve).once('error', onError).once('exit', onExit);
      forget = () => {
        clearTimeout(timer);
        thread.off('message', resolve).off('error', onError).off('exit', onExit);
      };
    });
    try {
      const told = await answer;
      if (!Value.Check(Answer, told)) throw new Error('said something that nobody understands');
      return told;
    } finally {
      forget();
    }
  }
}

/** What the function sees of a letter; `value` is added in the thread. Times are ISO text, offsets decimal. */
function givenOf({ key, value, headers, ...letter }: LetterToReplay): object {
  return {
    id: letter.id,
    partition: letter.partition,
    offset: String(letter.offset),
    timestamp: new Date(letter.kafkaTimestampMs).toISOString(),
    refusedAt: new Date(letter.refusedAtMs).toISOString(),
    reason: letter.reason,
    field: letter.field,
    detail: letter.detail,
    attempt: letter.attempt,
    key: textOf(key),
    headers: headers.map(({ name, value: of }: Header) => ({ name, value: textOf(of) })),
    text: textOf(value),
    bytes: value,
  };
}

/** The bytes as text, null where they are none. */
function textOf(bytes: Buffer | null): string | null {
  const text = bytes?.toString('utf8') ?? null;
  return bytes !== null && text?.includes('\uFFFD') && firstBadByte(bytes, text) !== -1 ? null : text;
}

function transformedBy(answer: Answer, before: Buffer | null): Transformed {
  switch (answer.kind) {
    case 'same':
    case 'left-out':
    case 'failed':
      return answer;
    case 'text':
      return { kind: 'changed', value: Buffer.from(answer.text) };
    case 'bytes':
      return { kind: 'changed', value: Buffer.from(answer.bytes) };
    case 'members': {
      const read = before === null ? null : jsonObjectIn(before);
      const json = withMembers(read !== null && 'json' in read ? read.json : '{}', new Map(answer.members));
      return { kind: 'changed', value: Buffer.from(json) };
    }
    default:
      return { kind: 'failed', why: 'the transform answered something that no letter was asked for' };
  }
}

// The lines of a file or of standard input as bytes, however many and however long.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

import { messageOf } from '../pipeline/ensure.ts';
import { CliFailure } from './failure.ts';

const LINE_END = 0x0a;

/** `totalBytes`: null where nobody knows, as of a pipe. */
export type FileLines = { readonly totalBytes: number | null; readonly chunks: AsyncIterable<Buffer> };

/** Opens a file; `-` is standard input. Throws CliFailure when it cannot be read. */
export async function openFile(path: string): Promise<FileLines> {
  if (path === '-') return { totalBytes: null, chunks: process.stdin };
  const there = await stat(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  if (there.isDirectory()) throw new CliFailure(`${path} is a folder; name a file in it.`);
  return { totalBytes: there.isFile() ? there.size : null, chunks: explainedChunks(path) };
}

async function* explainedChunks(path: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1_048_576 })) yield chunk;
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

const unreadable = (path: string, cause: unknown): CliFailure =>
  new CliFailure(`${path} cannot be read: ${messageOf(cause)}; name a file of JSON lines, or - for standard input.`, {
    cause,
  });

/** Cuts chunks into lines, without their ends. Of a line longer than `mostBytes` only the first `mostBytes + 1` are kept. */
export class LineCutter {
  readonly #mostBytes: number;
  #parts: Buffer[] = [];
  #length = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Gives each line that ends within the chunk to `take`. */
  push(chunk: Buffer, take: (line: Buffer) => void): void {
    let from = 0;
    for (let end = chunk.indexOf(LINE_END); end !== -1; end = chunk.indexOf(LINE_END, from)) {
      this.#keep(chunk.subarray(from, end));
      take(this.#line());
      from = end + 1;
    }
    this.#keep(chunk.subarray(from));
  }

  /** The last line, where the file does not end with a line end. */
  end(take: (line: Buffer) => void): void {
    if (this.#length > 0) take(this.#line());
  }

  #keep(part: Buffer): void {
    const room = this.#mostBytes + 1 - this.#length;
    if (part.length === 0 || room <= 0) return;
    const kept = part.subarray(0, room);
    this.#parts.push(kept);
    this.#length += kept.length;
  }

  #line(): Buffer {
    const [first] = this.#parts;
    const line = first !== undefined && this.#parts.length === 1 ? first : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#length = 0;
    return line;
  }
}

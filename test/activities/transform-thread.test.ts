// A person's transform in its thread: what it may change, and that nothing it does can hurt anything but its own letter.
import { afterEach, describe, expect, test } from 'vitest';

import { TransformThread, UnusableTransformError } from '../../activities/transform-thread.ts';
import type { Transformed } from '../../activities/transform-thread.ts';
import type { LetterToReplay } from '../../postgres/replayed-letters.ts';

const LETTER: LetterToReplay = {
  id: '17',
  partition: 3,
  offset: 12,
  kafkaTimestampMs: Date.UTC(2026, 10, 1),
  refusedAtMs: Date.UTC(2026, 10, 2),
  reason: 'missing_field',
  field: 'device',
  detail: 'device is missing',
  status: 'open',
  attempt: 2,
  parent: null,
  key: Buffer.from('user-1'),
  value: Buffer.from('{ "price": 12.10, "big": 12345678901234567890 }'),
  headers: [{ name: 'trace', value: Buffer.from('abc') }],
};

const open: TransformThread[] = [];
function threadOf(body: string, memoryMb = 64): TransformThread {
  const thread = new TransformThread(`module.exports.default = ${body};`, {
    limits: { loadMs: 5_000, letterMs: 1_000, memoryMb },
  });
  open.push(thread);
  return thread;
}
async function transformed(body: string, letter: Partial<LetterToReplay> = {}): Promise<Transformed> {
  return await threadOf(body).apply({ ...LETTER, ...letter });
}
const changedTo = (answer: Transformed): string =>
  answer.kind === 'changed' ? answer.value.toString('latin1') : answer.kind;

afterEach(async () => {
  await Promise.all(open.splice(0).map(async (thread) => await thread.close()));
});

describe('a transform', () => {
  test('changes members of the value, and those it leaves keep every digit', async () => {
    const answer = await transformed('(letter) => { letter.value.device = "mobile"; return letter; }');
    expect(changedTo(answer)).toBe('{ "price": 12.10, "big": 12345678901234567890,"device":"mobile" }');
  });

  test('may answer with nothing but the value, and takes its time as a promise', async () => {
    const answer = await transformed('async ({ value: { price } }) => ({ value: { price, n: 1 } })');
    expect(changedTo(answer)).toBe('{ "price": 12.10,"n":1 }');
  });

  test('changes text that is no JSON, and bytes that are no text', async () => {
    const text = await transformed('(l) => ({ ...l, text: l.text + "}" })', { value: Buffer.from('{"a":1') });
    expect(changedTo(text)).toBe('{"a":1}');
    const latin = Buffer.from('{"a":"M\u00FCller"}', 'latin1');
    const bytes = await transformed('(l) => ({ ...l, bytes: Buffer.from(Buffer.from(l.bytes).toString("latin1")) })', {
      value: latin,
    });
    expect(bytes).toEqual({ kind: 'changed', value: Buffer.from('{"a":"M\u00FCller"}') });
  });

  test('sees why the letter was refused', async () => {
    const answer = await transformed('({ value, ...rest }) => ({ text: JSON.stringify(rest) })');
    expect(JSON.parse(changedTo(answer))).toMatchObject({
      id: '17',
      offset: '12',
      reason: 'missing_field',
      field: 'device',
      attempt: 2,
      key: 'user-1',
      headers: [{ name: 'trace', value: 'abc' }],
      timestamp: '2026-11-01T00:00:00.000Z',
    });
  });

  test('leaves a letter out with null, and sends it as it is when it changes nothing', async () => {
    expect(await transformed('() => null')).toEqual({ kind: 'left-out' });
    expect(await transformed('(letter) => letter')).toEqual({ kind: 'same' });
    expect(await transformed('(letter) => letter', { value: Buffer.from([0, 0xff]) })).toEqual({ kind: 'same' });
    expect(await transformed('(letter) => letter', { value: null, key: null })).toEqual({ kind: 'same' });
  });

  test.each([
    ['(letter) => { throw new RangeError("too dear"); }', /^the transform threw RangeError: too dear$/],
    ['(letter) => { letter.value.x.y; }', /^the transform threw TypeError: Cannot read/],
    ['async () => { throw "text"; }', /^the transform threw text$/],
    ['() => {}', /^the transform answered nothing where a letter or null belongs$/],
    ['() => 5', /^the transform answered a number where a letter or null belongs$/],
    ['() => []', /^the transform answered a object where a letter or null belongs$/],
    ['(l) => ({ ...l, key: "other" })', /^the transform changed key or headers, which a replay leaves as they are$/],
    ['(l) => ({ ...l, headers: [] })', /^the transform changed key or headers, which a replay leaves as they are$/],
    ['(l) => ({ ...l, value: 1, text: "2" })', /changed more than one of value, text and bytes/],
    ['(l) => ({ ...l, value: { n: 1n } })', /^the transform threw TypeError: Do not know how to serialize a BigInt/],
    ['(l) => ({ ...l, text: null })', /^the transform answered a text that is none/],
    [String.raw`(l) => ({ ...l, text: "\ud800" })`, /half of a surrogate pair/],
    ['(l) => ({ ...l, bytes: [1] })', /^the transform answered bytes that are no Uint8Array/],
    ['() => process.exit(3)', /^the transform ended its thread$/],
  ])('that answers nonsense leaves the letter as it was, with the reason: %s', async (body, why) => {
    expect(await transformed(body)).toEqual({
      kind: 'failed',
      why: expect.stringMatching(why),
    });
  });

  test('that hangs, or takes all memory, costs its letter and no other', async () => {
    const thread = threadOf(
      '(l) => { if (l.id === "1") for (;;); if (l.id === "2") { const all = []; for (;;) all.push(Array(1e5).fill(l.id)); } return null; }',
      32,
    );
    expect(await thread.apply({ ...LETTER, id: '1' })).toEqual({
      kind: 'failed',
      why: 'the transform took longer than 1000 ms',
    });
    expect(await thread.apply({ ...LETTER, id: '3' })).toEqual({ kind: 'left-out' });
    expect(await thread.apply({ ...LETTER, id: '2' })).toMatchObject({
      kind: 'failed',
      why: expect.stringMatching(/^the transform took (more than 32 MiB|longer than 1000 ms)$/),
    });
    expect(await thread.apply({ ...LETTER, id: '4' })).toEqual({ kind: 'left-out' });
  });

  test('knows nothing of the passwords around it', async () => {
    process.env.WEIR_POSTGRES_URL ??= 'postgres://secret';
    expect(changedTo(await transformed('() => ({ text: JSON.stringify(process.env) })'))).toBe('{}');
  });

  test.each([
    ['5', /it exports no function by default/],
    ['(() => { throw new Error("no") })()', /cannot be used: no/],
    ['(() => { for (;;); })()', /took longer than/],
  ])(
    'that cannot be loaded says so: %s',
    async (body, why) => {
      const thread = threadOf(body);
      const refused = await thread.open().catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(UnusableTransformError);
      expect(refused).toMatchObject({ message: expect.stringMatching(why) });
    },
    60_000,
  );
});

// Repairs of a letter's value: what they change, what they leave as it was written, and when there is nothing to repair.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { withMember, withMembers, withRenamed } from '../../pipeline/json-edit.ts';
import { describeRepair, parseRename, parseSet, takeSteps } from '../../pipeline/repair.ts';
import type { RepairStep } from '../../pipeline/repair.ts';

function repaired(value: string, ...steps: RepairStep[]): string {
  const taken = takeSteps(Buffer.from(value), steps);
  return 'why' in taken ? `not: ${taken.why}` : taken.value.toString();
}

describe('--set', () => {
  test.each([
    ['price=5', '5'],
    ['price=5.10', '5.10'],
    ['price="5"', '"5"'],
    ['price=null', 'null'],
    ['price=[1, 2]', '[1, 2]'],
    ['price=five', '"five"'],
    ['price=', '""'],
    ['price=a=b', '"a=b"'],
    ['price=say "hi"', String.raw`"say \"hi\""`],
    ['price=0123', '"0123"'],
  ])('%s gives the field the value %s', (written, json) => {
    expect(parseSet(written)).toEqual({ kind: 'set', field: 'price', json });
  });

  test('replaces one value and touches nothing else, or adds it at the end', () => {
    const value = '{ "a" : 12.10, "big":12345678901234567890,\n\t"b" : {"c":1.0} }';
    expect(repaired(value, parseSet('b=2'))).toBe('{ "a" : 12.10, "big":12345678901234567890,\n\t"b" : 2 }');
    expect(repaired(value, parseSet('d=2'))).toBe(value.replace('} }', '},"d":2 }'));
    expect(repaired('{}', parseSet('d=2'))).toBe('{"d":2}');
    expect(repaired(' { } ', parseSet('d=2'))).toBe(' {"d":2 } ');
  });

  test('of a name that is there twice replaces the one that counts', () => {
    expect(repaired('{"a":1,"a":2}', parseSet('a=3'))).toBe('{"a":1,"a":3}');
  });

  test.each([['no-equals'], ['=5'], ['']])('%s is not understood', (written) => {
    expect(() => parseSet(written)).toThrow(/is not of the form field=value/);
  });
});

describe('--rename', () => {
  test('changes the name alone, wherever it stands', () => {
    expect(repaired('{"userId" : "u", "x":1}', parseRename('userId=user_id'))).toBe('{"user_id" : "u", "x":1}');
    expect(repaired(String.raw`{"user\u0049d":1}`, parseRename('userId=user_id'))).toBe('{"user_id":1}');
  });

  test('leaves a letter without that field to the other steps', () => {
    expect(repaired('{"x":1}', parseRename('a=b'), parseSet('x=2'))).toBe('{"x":2}');
  });

  test('is refused where both fields are there', () => {
    expect(repaired('{"a":1,"b":2}', parseRename('a=b'))).toBe('not: it has both a and b');
  });

  test.each([['a=a'], ['a='], ['a']])('%s is not understood', (written) => {
    expect(() => parseRename(written)).toThrow(/of the form|no new name|the name that it has/);
  });
});

describe('steps', () => {
  test('are taken in their order', () => {
    expect(repaired('{"a":1}', parseRename('a=b'), parseSet('a=2'), parseRename('a=c'))).toBe('{"b":1,"c":2}');
  });

  test.each([
    ['', /^its value is empty$/],
    ['{"a":', /^its value is not JSON \(/],
    ['\uFEFF{}', /^its value is not JSON \(/],
    ['[1]', /^its value is JSON, but not an object$/],
    ['null', /^its value is JSON, but not an object$/],
  ])('cannot be taken on %j', (value, why) => {
    expect(takeSteps(Buffer.from(value), [parseSet('a=1')])).toEqual({ why: expect.stringMatching(why) });
  });

  test('cannot be taken on a tombstone or on bytes that are not UTF-8, which no repair of text may touch', () => {
    expect(takeSteps(null, [parseSet('a=1')])).toEqual({ why: 'it has no value (null)' });
    const broken = Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    expect(takeSteps(broken, [parseSet('b=1')])).toEqual({ why: 'its value is not UTF-8' });
  });

  test('that change nothing give the very same bytes', () => {
    const value = Buffer.from('{"a":1}');
    expect(takeSteps(value, [parseSet('a=1'), parseRename('x=y')])).toEqual({ value });
  });

  test('are told in words', () => {
    const steps = [parseSet('device=mobile'), parseRename('userId=user_id')];
    expect(describeRepair({ steps, transform: 'x' })).toBe(
      'device set to "mobile", userId renamed to user_id, transformed',
    );
  });
});

describe('an edited object', () => {
  const object = fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue(), { maxKeys: 6 });
  const spaced = (given: object): string => JSON.stringify(given, null, 1);

  test('says what it should, whatever was in it', () => {
    const told = (before: object, name: string, value: unknown): unknown =>
      JSON.parse(withMember(spaced(before), name, JSON.stringify(value)));
    fc.assert(
      fc.property(object, fc.string({ maxLength: 5 }), fc.jsonValue(), (before, name, value) => {
        const wanted: unknown = JSON.parse(
          JSON.stringify(Object.fromEntries([...Object.entries(before), [name, value]])),
        );
        expect(told(before, name, value)).toEqual(wanted);
      }),
    );
    expect(told({ a: 1 }, '__proto__', 5)).toEqual(JSON.parse('{"a":1,"__proto__":5}'));
  });

  test('has exactly the members that are wanted', () => {
    fc.assert(
      fc.property(object, object, (before, after) => {
        const wanted = new Map(Object.entries(after).map(([name, value]) => [name, JSON.stringify(value)]));
        const told: unknown = JSON.parse(withMembers(spaced(before), wanted));
        expect(told).toEqual(JSON.parse(JSON.stringify(after)));
      }),
    );
  });

  test('keeps the digits of members that say what they said', () => {
    const before = '{ "price": 12.10, "far": 1e400, "id": 12345678901234567890, "gone": 1, "x": 1 }';
    const { gone, ...rest } = JSON.parse(before);
    const wanted = new Map(Object.entries({ ...rest, x: 2 }).map(([name, value]) => [name, JSON.stringify(value)]));
    expect(gone).toBe(1);
    expect(withMembers(before, wanted)).toBe('{ "price": 12.10, "far": 1e400, "id": 12345678901234567890, "x": 2 }');
  });

  test('is made in one pass: a hundred thousand members cost no minutes', () => {
    const hostile = `{${'"k":1,'.repeat(100_000)}"z":1}`;
    const before = process.cpuUsage();
    expect(withRenamed(hostile, 'k', 'j')).toHaveLength(hostile.length);
    expect(withMembers(hostile, new Map([['z', '1']]))).toBe('{"z":1}');
    expect(process.cpuUsage(before).user / 1_000_000).toBeLessThan(10);
  });
});

// Where JSON breaks off: the same verdict as JSON.parse, and the same place wherever that names one.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { firstJsonFault } from '../../pipeline/json-fault.ts';

function parserSays(text: string): { isJson: boolean; at: number | null } {
  try {
    JSON.parse(text);
    return { isJson: true, at: null };
  } catch (error) {
    const place = /at position (\d+)/.exec(String(error));
    return { isJson: false, at: place ? Number(place[1]) : null };
  }
}

function expectAgreement(text: string): void {
  const { isJson, at } = parserSays(text);
  const fault = firstJsonFault(text);
  expect({ text, isJson: fault === null }).toEqual({ text, isJson });
  expect({ text, at: at === null ? null : fault?.at }).toEqual({ text, at });
}

describe('the first fault of JSON', () => {
  test.each([
    ['{"a":}', 5, 'a value'],
    ['{"a":1,}', 7, 'a name in double quotes'],
    ['{"a" 1}', 5, 'a colon'],
    ['{"a":1 "b":2}', 7, 'a comma or }'],
    ['[1,2', 4, 'a comma or ]'],
    ['{}x', 2, 'nothing more'],
    ['tru', 3, 'the rest of true'],
    ['1.', 2, 'a digit behind the point'],
    ['"\\x"', 2, 'one of " \\ / b f n r t u after the backslash'],
    ['"a\nb"', 2, 'an escape such as \\n instead of the bare control character'],
    ['\uFEFF{}', 0, 'a value'],
    ['', 0, 'a value'],
    ["{'a':1}", 1, 'a name in double quotes or }'],
    ['NaN', 0, 'a value'],
  ])('in %j is at %i, where %s belongs', (text, at, belongs) => {
    expect(firstJsonFault(text)).toEqual({ at, belongs });
    expectAgreement(text);
  });

  test('is where JSON.parse finds it, in any JSON with one place changed', () => {
    const changed = fc
      .tuple(
        fc.json(),
        fc.nat(),
        fc.constantFrom('', '"', '{', '}', '[', ']', ',', ':', '\\', '0', '-', '.', 'e', ' ', '\n', 'u', '\u00A0'),
      )
      .map(([json, at, char]) => {
        const place = at % (json.length + 1);
        return json.slice(0, place) + char + json.slice(place + 1);
      });
    fc.assert(fc.property(changed, expectAgreement), { numRuns: 3_000 });
  });

  test('is found in text that is hardly JSON at all', () => {
    const tokens = fc.array(
      fc.constantFrom('{', '}', '[', ']', ',', ':', '"a"', '"', '1', '-0.5e3', '01', 'true', 'nul', ' ', '\\'),
    );
    fc.assert(
      fc.property(
        tokens.map((parts) => parts.join('')),
        expectAgreement,
      ),
      { numRuns: 3_000 },
    );
  });

  test('is found behind a hundred thousand levels of nesting', () => {
    expect(firstJsonFault('['.repeat(100_000))).toEqual({ at: 100_000, belongs: 'a value or ]' });
    expect(firstJsonFault(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)).toBeNull();
  });
});

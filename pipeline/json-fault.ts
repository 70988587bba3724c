// Where a text stops being JSON: the place that the parser's own message often does not name.

/** `at`: index of the first character that cannot stand there, the text's length where it ends too early. */
export type JsonFault = { readonly at: number; readonly belongs: string };

type Expected = keyof typeof BELONGS;
type Scalar = { readonly end: number } | JsonFault;

const BELONGS = {
  value: 'a value',
  'value or ]': 'a value or ]',
  name: 'a name in double quotes',
  'name or }': 'a name in double quotes or }',
  colon: 'a colon',
  'comma or }': 'a comma or }',
  'comma or ]': 'a comma or ]',
  end: 'nothing more',
} as const;

/** The first fault, or null when `text` is JSON by the rules of JSON.parse. Without recursion: a hostile message nests half a million deep. */
export function firstJsonFault(text: string): JsonFault | null {
  const open: ('{' | '[')[] = [];
  let expected: Expected = 'value';
  let at = 0;
  const after = (): Expected => (open.length === 0 ? 'end' : open.at(-1) === '{' ? 'comma or }' : 'comma or ]');
  for (;;) {
    at = skipSpace(text, at);
    if (at >= text.length) return expected === 'end' ? null : { at, belongs: BELONGS[expected] };
    const char = text.charAt(at);
    if (closes(char, expected)) {
      open.pop();
      at += 1;
      expected = after();
    } else if (expected === 'value' || expected === 'value or ]') {
      if (char === '{' || char === '[') {
        open.push(char);
        at += 1;
        expected = char === '{' ? 'name or }' : 'value or ]';
        continue;
      }
      const scalar = endOfScalar(text, at, BELONGS[expected]);
      if ('at' in scalar) return scalar;
      at = scalar.end;
      expected = after();
    } else if ((expected === 'name' || expected === 'name or }') && char === '"') {
      const name = endOfString(text, at);
      if ('at' in name) return name;
      at = name.end;
      expected = 'colon';
    } else if (expected === 'colon' && char === ':') {
      at += 1;
      expected = 'value';
    } else if (char === ',' && expected.startsWith('comma')) {
      at += 1;
      expected = expected === 'comma or }' ? 'name' : 'value';
    } else {
      return { at, belongs: BELONGS[expected] };
    }
  }
}

function closes(char: string, expected: Expected): boolean {
  return (char === '}' || char === ']') && expected.endsWith(` or ${char}`);
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (at < text.length && ' \t\n\r'.includes(text.charAt(at))) at += 1;
  return at;
}

function endOfScalar(text: string, at: number, belongs: string): Scalar {
  const char = text.charAt(at);
  if (char === '"') return endOfString(text, at);
  if (char === '-' || isDigit(char)) return endOfNumber(text, at);
  const word = ['true', 'false', 'null'].find((each) => each.startsWith(char));
  if (word === undefined) return { at, belongs };
  for (let index = 1; index < word.length; index += 1) {
    if (text.charAt(at + index) !== word.charAt(index)) return { at: at + index, belongs: `the rest of ${word}` };
  }
  return { end: at + word.length };
}

function endOfString(text: string, start: number): Scalar {
  for (let at = start + 1; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === '"') return { end: at + 1 };
    if (char < ' ') return { at, belongs: 'an escape such as \\n instead of the bare control character' };
    if (char !== '\\') continue;
    at += 1;
    const escape = text.charAt(at);
    if (escape === '') break;
    if (!'"\\/bfnrtu'.includes(escape)) return { at, belongs: 'one of " \\ / b f n r t u after the backslash' };
    if (escape !== 'u') continue;
    for (let digit = 0; digit < 4; digit += 1) {
      at += 1;
      if (!/^[0-9a-fA-F]$/.test(text.charAt(at))) return { at, belongs: 'four hexadecimal digits after \\u' };
    }
  }
  return { at: text.length, belongs: 'the closing quote of the text' };
}

function endOfNumber(text: string, start: number): Scalar {
  let at = text.charAt(start) === '-' ? start + 1 : start;
  if (!isDigit(text.charAt(at))) return { at, belongs: 'a digit' };
  at = text.charAt(at) === '0' ? at + 1 : skipDigits(text, at);
  if (text.charAt(at) === '.') {
    if (!isDigit(text.charAt(at + 1))) return { at: at + 1, belongs: 'a digit behind the point' };
    at = skipDigits(text, at + 1);
  }
  if (text.charAt(at) === 'e' || text.charAt(at) === 'E') {
    at += 1;
    if (text.charAt(at) === '+' || text.charAt(at) === '-') at += 1;
    if (!isDigit(text.charAt(at))) return { at, belongs: 'a digit of the exponent' };
    at = skipDigits(text, at);
  }
  return { end: at };
}

function skipDigits(text: string, start: number): number {
  let at = start;
  while (isDigit(text.charAt(at))) at += 1;
  return at;
}

function isDigit(char: string): boolean {
  return char >= '0' && char <= '9' && char.length === 1;
}

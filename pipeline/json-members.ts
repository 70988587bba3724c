// The members of a JSON object as they were written: numbers keep their digits, which a parsed value has lost.

/**
 * One member. `name` is the key with its escapes resolved; `start` to `keyEnd` is the key as written (quotes included),
 * `valueStart` to `end` the value. `nesting` is how deep arrays and objects lie in the value; `digits` is how many characters its
 * longest number has when written without an exponent.
 */
export type JsonMember = {
  readonly name: string;
  readonly start: number;
  readonly keyEnd: number;
  readonly valueStart: number;
  readonly end: number;
  readonly nesting: number;
  readonly digits: number;
};

const QUOTE = 34;
const COMMA = 44;
const DASH = 45;
const BACKSLASH = 92;
const CLOSING_BRACE = 125;

/** The members of the object that `json` is, in their order, repeated names included. `json` must be what JSON.parse took for an object. */
export function jsonMembers(json: string): JsonMember[] {
  const members: JsonMember[] = [];
  let at = skipSpace(json, json.indexOf('{') + 1);
  while (at < json.length && json.charCodeAt(at) !== CLOSING_BRACE) {
    const keyEnd = endOfString(json, at);
    const colon = skipSpace(json, keyEnd);
    const { valueStart, end, nesting, digits } = scanValue(json, skipSpace(json, colon + 1));
    members.push({ name: nameOf(json.slice(at + 1, keyEnd - 1)), start: at, keyEnd, valueStart, end, nesting, digits });
    at = skipSpace(json, end);
    if (json.charCodeAt(at) === COMMA) at = skipSpace(json, at + 1);
  }
  return members;
}

function nameOf(key: string): string {
  return key.includes('\\') ? String(JSON.parse(`"${key}"`)) : key;
}

/** Walks over one value without recursion: a hostile message nests half a million deep. */
function scanValue(json: string, valueStart: number): Pick<JsonMember, 'valueStart' | 'end' | 'nesting' | 'digits'> {
  let at = valueStart;
  let depth = 0;
  let nesting = 0;
  let digits = 0;
  do {
    const code = json.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(json, at);
    } else if (isDigit(code) || code === DASH) {
      const end = endOfNumber(json, at);
      digits = Math.max(digits, lengthWrittenOut(json.slice(at, end)));
      at = end;
    } else if (code === 123 || code === 91) {
      depth += 1;
      nesting = Math.max(nesting, depth);
      at += 1;
    } else if (code === CLOSING_BRACE || code === 93) {
      depth -= 1;
      at += 1;
    } else {
      at = isLetter(code) ? endOfWord(json, at) : at + 1;
    }
  } while (depth > 0 && at < json.length);
  return { valueStart, end: at, nesting, digits };
}

/** Characters of a number without its exponent, at most: 1.25e3 has 4 and an exponent that moves the point by 3. */
function lengthWrittenOut(number: string): number {
  const exponentAt = Math.max(number.indexOf('e'), number.indexOf('E'));
  return exponentAt === -1 ? number.length : exponentAt + Math.abs(Number(number.slice(exponentAt + 1)));
}

function endOfString(json: string, start: number): number {
  for (let at = start + 1; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) at += 1;
  }
  return json.length;
}

function endOfNumber(json: string, start: number): number {
  let at = start;
  while (at < json.length && isPartOfNumber(json.charCodeAt(at))) at += 1;
  return at;
}

function endOfWord(json: string, start: number): number {
  let at = start;
  while (at < json.length && isLetter(json.charCodeAt(at))) at += 1;
  return at;
}

function skipSpace(json: string, start: number): number {
  let at = start;
  while (at < json.length && json.charCodeAt(at) <= 32) at += 1;
  return at;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function isLetter(code: number): boolean {
  return code >= 97 && code <= 122;
}

/** Digits, signs, point, e and E. */
function isPartOfNumber(code: number): boolean {
  return isDigit(code) || code === DASH || code === 43 || code === 46 || code === 101 || code === 69;
}

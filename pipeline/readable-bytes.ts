// Any bytes as text that a terminal shows and does not obey: what is no UTF-8 as \xff, what is no visible character as \u{1b}.

/** One character or one broken byte. `byte`: where it begins; `width`: columns of a terminal that `text` takes. */
export type Glyph = { readonly byte: number; readonly text: string; readonly width: number };

const ESCAPED: ReadonlyMap<string, string> = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);
/** Two columns each: Hangul, CJK, full-width forms, emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;

/** The glyphs of the bytes `[from, to)`; one that begins before `to` is whole. */
export function glyphsOf(bytes: Buffer, from = 0, to = bytes.length): Glyph[] {
  const glyphs: Glyph[] = [];
  let at = from;
  while (at < to) {
    const length = characterLength(bytes, at);
    glyphs.push({
      byte: at,
      ...(length === 0 ? brokenByte(bytes[at] ?? 0) : drawn(bytes.toString('utf8', at, at + length))),
    });
    at += Math.max(1, length);
  }
  return glyphs;
}

/** The bytes as one line. */
export function readable(bytes: Buffer, from = 0, to = bytes.length): string {
  return glyphsOf(bytes, from, to)
    .map(({ text }) => text)
    .join('');
}

/** Whether `readable` shows these bytes as they are. */
export function isPlain(bytes: Buffer): boolean {
  return readable(bytes) === bytes.toString('utf8');
}

/** Bytes of the UTF-8 character at `at`, 1 to 4; 0 where none begins (Unicode table 3-7: no overlong forms, no surrogates). */
export function characterLength(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0xff;
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0) return 0;
  const second = bytes[at + 1] ?? 0;
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let index = 2; index < length; index += 1) {
    if (((bytes[at + index] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return length;
}

function brokenByte(byte: number): Omit<Glyph, 'byte'> {
  return { text: `\\x${byte.toString(16).padStart(2, '0')}`, width: 4 };
}

function drawn(char: string): Omit<Glyph, 'byte'> {
  if (/^[\p{C}\p{Zl}\p{Zp}]$/u.test(char)) {
    const text = ESCAPED.get(char) ?? `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`;
    return { text, width: text.length };
  }
  return { text: char, width: /^\p{M}$/u.test(char) ? 0 : WIDE.test(char) ? 2 : 1 };
}

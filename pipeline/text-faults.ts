// Text that cannot be kept: bytes that are not UTF-8, and the two characters that JSON can write and PostgreSQL cannot hold.

/** Index of the first byte of `bytes` that is not UTF-8, or -1. `text` is `bytes` decoded with U+FFFD for what is broken. */
export function firstBadByte(bytes: Buffer, text: string): number {
  let seenChars = 0;
  let byte = 0;
  for (;;) {
    const at = text.indexOf('\uFFFD', seenChars);
    if (at === -1) return -1;
    // All before it is sound, so its place in the bytes is known; a U+FFFD that was really sent has these three bytes.
    byte += Buffer.byteLength(text.slice(seenChars, at));
    if (bytes[byte] !== 0xef || bytes[byte + 1] !== 0xbf || bytes[byte + 2] !== 0xbd) return byte;
    byte += 3;
    seenChars = at + 1;
  }
}

/** Index of the first escape in valid JSON text that writes U+0000 or half a surrogate pair, or -1. */
export function firstBadEscape(json: string): number {
  let at = json.indexOf('\\');
  while (at !== -1) {
    const code = escapedCode(json, at);
    if (code === 0 || isLowSurrogate(code)) return at;
    if (isHighSurrogate(code)) {
      if (!isLowSurrogate(escapedCode(json, at + 6))) return at;
      at += 6;
    }
    at = json.indexOf('\\', at + (code < 0 ? 2 : 6));
  }
  return -1;
}

/** The UTF-16 code that `\uXXXX` at this place writes, or -1 for anything else. */
function escapedCode(json: string, at: number): number {
  return json.startsWith('\\u', at) ? Number.parseInt(json.slice(at + 2, at + 6), 16) : -1;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}

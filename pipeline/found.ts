// What was found in a message, in words that are safe to print, to store and to read in one line.

const MAX_SHOWN = 80;

/** Text cut to 80 characters, with control, formatting and unpaired characters written as escapes. */
export function shown(text: string): string {
  const cut = text.length > MAX_SHOWN;
  // Code points, so that the cut leaves no half of a pair.
  const kept = cut
    ? Array.from(text.slice(0, 2 * MAX_SHOWN))
        .slice(0, MAX_SHOWN)
        .join('')
    : text;
  const safe = kept.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
  return cut ? `${safe}...` : safe;
}

/** The name of a field as a sentence says it: in quotes where its ends could not be seen without. */
export function named(field: string): string {
  return /^\S(?:.*\S)?$/s.test(field) ? field : `"${field}"`;
}

/** A parsed JSON value in a few words: its text when it is a scalar, else its kind and size. */
export function found(value: unknown): string {
  if (typeof value === 'string') {
    return value.length > MAX_SHOWN ? `"${shown(value)}" (${value.length} characters)` : `"${shown(value)}"`;
  }
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'number' && !Number.isFinite(value)) return 'a number beyond 1.8e308';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

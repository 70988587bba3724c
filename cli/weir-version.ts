// The version of this Weir, as its package says.
import { readFileSync } from 'node:fs';

/** Such as "0.1.0". */
export function weirVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const { version }: { version: string } = JSON.parse(text);
  return version;
}

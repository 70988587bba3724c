// The corpus: every hostile message, in the order in which the tests send it.
import { BYTES } from './bytes.ts';
import { ENVELOPES } from './envelopes.ts';
import type { HostileMessage } from './hostile-message.ts';
import { NUMBERS } from './numbers.ts';
import { REGRESSIONS } from './regressions.ts';
import { STRUCTURE } from './structure.ts';
import { TEXTS } from './texts.ts';
import { TIMES } from './times.ts';

export const CORPUS: readonly HostileMessage[] = [
  ...BYTES,
  ...STRUCTURE,
  ...NUMBERS,
  ...TEXTS,
  ...TIMES,
  ...ENVELOPES,
  ...REGRESSIONS,
];

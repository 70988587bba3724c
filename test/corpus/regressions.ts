// Messages that once got a wrong verdict or took too long, as the fuzzer printed them: value in base64, verdict today.
import { hostile } from './hostile-message.ts';
import type { Row } from './hostile-message.ts';

const ROWS: Row[] = [
  [
    'U+0000 under the name of one space is refused',
    'bad_text  ',
    Buffer.from('eyIiOiIiLCIiOiIiLCIiOiIiLCIgIjoiXHUwMDAwIiwiIjowLCIiOm51bGx9', 'base64'),
  ],
];

export const REGRESSIONS = ROWS.map(hostile);

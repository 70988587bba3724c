// Which of the things that funnels ask for an event is, as bits of a number.
import { assert } from '../pipeline/ensure.ts';
import { FUNNELS, funnelProblems, stepMarks } from '../pipeline/funnel.ts';
import type { FunnelStep } from '../pipeline/funnel.ts';

/**
 * SQL expression: the bits of the steps that an event `e` is. Worked out once, when the program starts: a wrong declaration is
 * named before anything is done with it.
 */
export const STEP_MARKS = marksOf();

/** Throws when a funnel is declared wrongly, with the field. */
function marksOf(): string {
  const problems = funnelProblems(FUNNELS);
  assert(problems.length === 0, `The funnels are declared wrongly: ${problems.join(' ')}`);
  return stepMarks(FUNNELS)
    .map(({ mark, step }) => `case when ${isStep(step)} then ${mark} else 0 end`)
    .join(' + ');
}

function isStep({ type, where = {} }: FunnelStep): string {
  const conditions = Object.entries(where).map(([field, value]) => `e.${field} = '${value.replaceAll("'", "''")}'`);
  return [`e.event_type = '${type}'`, ...conditions].join(' and ');
}

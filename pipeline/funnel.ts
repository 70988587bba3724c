// The funnels, declared: steps that a session goes through in order. A new one is one entry here, at the end.
import { must } from './ensure.ts';
import type { EventType } from './event.ts';
import { plainSchemas } from './schemas/plain-schema.ts';
import type { PlainField } from './schemas/plain-schema.ts';
import { VERSIONS } from './schemas/versions.ts';
import { tumbling } from './window.ts';

/** Done when an event of `type` has these values; `where` names own fields of the type that hold text. */
export type FunnelStep = {
  readonly name: string;
  readonly type: EventType;
  readonly where?: Readonly<Record<string, string>>;
};

/**
 * A session reaches a step with its earliest event of it after the step before was reached: strictly later, and at most
 * `withinMs` after the first step. Steps done again count once.
 */
export type Funnel = { readonly name: string; readonly withinMs: number; readonly steps: readonly FunnelStep[] };

export const FUNNELS: readonly Funnel[] = [
  {
    name: 'shopping',
    withinMs: 3_600_000,
    steps: [
      { name: 'view', type: 'page_view', where: { page: 'product' } },
      { name: 'click', type: 'item_click' },
      { name: 'cart', type: 'cart_add' },
      { name: 'purchase', type: 'purchase' },
    ],
  },
  {
    name: 'search',
    withinMs: 3_600_000,
    steps: [
      { name: 'search', type: 'search' },
      { name: 'click', type: 'item_click' },
      { name: 'purchase', type: 'purchase' },
    ],
  },
];

/** Funnels are counted over the sessions that started in each of these windows. */
export const FUNNEL_WINDOW = tumbling(10 * 60_000);

/** What the steps of all funnels ask for, each thing once: its place is its bit in `pane_facts.step_marks`. */
export function stepMarks(funnels: readonly Funnel[]): { mark: number; step: FunnelStep }[] {
  const distinct = new Map<string, FunnelStep>();
  for (const { steps } of funnels)
    for (const step of steps) if (!distinct.has(askedBy(step))) distinct.set(askedBy(step), step);
  return [...distinct.values()].map((step, place) => ({ mark: 2 ** place, step }));
}

/** The bit of one step. Throws when it is of no declared funnel. */
export function markOf(funnels: readonly Funnel[], wanted: FunnelStep): number {
  const found = stepMarks(funnels).find(({ step }) => askedBy(step) === askedBy(wanted));
  return must(found, `the bit of step ${wanted.name}`).mark;
}

function askedBy({ type, where = {} }: FunnelStep): string {
  const conditions = Object.entries(where).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([type, ...conditions]);
}

/** `step_marks` holds 31 bits that a number without a sign has. */
const MOST_MARKS = 31;
const LEAST_STEPS = 2;
const NAME = /^[a-z][a-z0-9_]{0,62}$/;

/** What is wrong with a declaration, a sentence each that names the field; empty when nothing is. */
export function funnelProblems(funnels: readonly Funnel[]): string[] {
  const newest = plainSchemas(VERSIONS).at(-1)?.types ?? {};
  const problems = funnels.flatMap((funnel, index) => {
    const at = `funnels[${index}]`;
    return [
      ...nameProblems(`${at}.name`, funnel.name, funnels.slice(0, index)),
      ...(Number.isSafeInteger(funnel.withinMs) && funnel.withinMs > 0
        ? []
        : [`${at}.withinMs is ${funnel.withinMs}: give a whole number of milliseconds above 0.`]),
      ...(funnel.steps.length >= LEAST_STEPS
        ? []
        : [`${at}.steps has ${funnel.steps.length}: a funnel needs at least ${LEAST_STEPS} steps.`]),
      ...funnel.steps.flatMap((step, place) => [
        ...nameProblems(`${at}.steps[${place}].name`, step.name, funnel.steps.slice(0, place)),
        ...conditionProblems(`${at}.steps[${place}]`, step, newest[step.type]),
      ]),
    ];
  });
  const marks = stepMarks(funnels).length;
  if (marks > MOST_MARKS) problems.push(`funnels ask for ${marks} different things: at most ${MOST_MARKS} fit.`);
  return problems;
}

function nameProblems(field: string, name: string, earlier: readonly { readonly name: string }[]): string[] {
  if (!NAME.test(name)) return [`${field} is "${name}": give lower-case letters, digits and _, a letter first.`];
  return earlier.some((other) => other.name === name)
    ? [`${field} is "${name}", as an earlier one: give it another.`]
    : [];
}

function conditionProblems(field: string, { type, where = {} }: FunnelStep, fields?: readonly PlainField[]): string[] {
  if (fields === undefined) return [`${field}.type is "${type}": no event has this type.`];
  return Object.entries(where).flatMap(([name, value]) => {
    const found = fields.find((each) => each.name === name);
    if (!found) return [`${field}.where.${name}: events of type ${type} have no such field.`];
    if (found.kind === 'one of' && !found.values?.includes(value)) {
      return [`${field}.where.${name} is "${value}": it can only be ${found.values?.join(', ')}.`];
    }
    return ['text', 'one of', 'currency'].includes(found.kind)
      ? []
      : [`${field}.where.${name}: a ${found.kind} can't be asked for, only text can.`];
  });
}

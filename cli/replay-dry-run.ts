// What a replay would make of each letter, by the rules of ingestion itself; nothing is sent and nothing is written.
import type pg from 'pg';

import { repairLetter } from '../activities/repair-letter.ts';
import type { Repaired } from '../activities/repair-letter.ts';
import { TransformThread } from '../activities/transform-thread.ts';
import type { LetterSelection } from '../pipeline/letter-selection.ts';
import { parseMessage } from '../pipeline/parse-message.ts';
import type { PipelineSpec } from '../pipeline/pipeline-spec.ts';
import { readable } from '../pipeline/readable-bytes.ts';
import type { ReplayPlan } from '../pipeline/replay.ts';
import type { Repair } from '../pipeline/repair.ts';
import { readReplayPage } from '../postgres/replayed-letters.ts';
import type { LetterToReplay } from '../postgres/replayed-letters.ts';
import { plural, printJson, printLine, printProgress } from './output.ts';
import { openProgressLine, progressBar } from './progress-line.ts';

/** One letter with what it would become. */
type Outlook = { readonly letter: string } & (
  | { readonly becomes: 'event'; readonly event: { readonly id: string; readonly type: string; readonly at: string } }
  | { readonly becomes: 'letter'; readonly reason: string; readonly field: string | null; readonly detail: string }
  | { readonly becomes: 'unrepaired'; readonly why: string }
  | { readonly becomes: 'left-out' }
);

type DryRun = {
  readonly spec: PipelineSpec;
  readonly selection: LetterSelection;
  readonly plan: ReplayPlan;
  readonly repair: Repair;
  readonly json: boolean;
};

const LETTERS_A_PAGE = 500;

export async function dryRun(pool: pg.Pool, { spec, selection, plan, repair, json }: DryRun): Promise<void> {
  // What it prints is for whoever writes it.
  const onOutput = (text: string): void => printProgress(text.trimEnd());
  const transform = repair.transform === null ? null : new TransformThread(repair.transform, { onOutput });
  // Where the lines themselves are watched they are progress enough.
  const progress = process.stdout.isTTY ? null : openProgressLine();
  const outlooks: Outlook[] = [];
  const counts: Record<Outlook['becomes'], number> = { event: 0, letter: 0, unrepaired: 0, 'left-out': 0 };
  const page = { selection, replay: '', throughId: plan.throughId, limit: LETTERS_A_PAGE };
  try {
    for (let after = '0', done = 0; ;) {
      const letters = await readReplayPage(pool, spec.schema, { ...page, after });
      const last = letters.at(-1);
      if (last === undefined) break;
      for (const letter of letters) {
        const outlook = outlookOf(letter, spec, await repairLetter(letter, { steps: repair.steps, transform }));
        counts[outlook.becomes] += 1;
        done += 1;
        if (json) outlooks.push(outlook);
        else printLine(lineOf(outlook));
      }
      progress?.show(progressBar('Looking', done, plan.letters));
      after = last.id;
    }
  } finally {
    progress?.clear();
    await transform?.close();
  }
  const summary = {
    events: counts.event,
    refused: counts.letter,
    unrepaired: counts.unrepaired,
    leftOut: counts['left-out'],
  };
  if (json) printJson({ letters: outlooks, summary });
  else printLine(`\n${summaryText(summary)}`);
}

type Summary = {
  readonly events: number;
  readonly refused: number;
  readonly unrepaired: number;
  readonly leftOut: number;
};

function summaryText({ events, refused, unrepaired, leftOut }: Summary): string {
  const parts = [
    plural(events, 'event'),
    `${plural(refused, 'letter')} refused again`,
    ...(unrepaired > 0 ? [`${plural(unrepaired, 'letter')} that cannot be repaired`] : []),
    ...(leftOut > 0 ? [`${plural(leftOut, 'letter')} left out`] : []),
  ];
  return `It would make ${parts.join(', ')}. Nothing was sent.`;
}

/** Judged as if it were written now. */
function outlookOf(letter: LetterToReplay, spec: PipelineSpec, repaired: Repaired): Outlook {
  if (repaired.kind === 'left-out') return { letter: letter.id, becomes: 'left-out' };
  if (repaired.kind === 'unrepaired') return { letter: letter.id, becomes: 'unrepaired', why: repaired.why };
  const { key, headers, offset } = letter;
  const { event, rejection } = parseMessage(
    { offset, timestampMs: Date.now(), key, value: repaired.value, headers },
    spec,
  );
  if (rejection) return { letter: letter.id, becomes: 'letter', ...rejection };
  const at = new Date(event.occurredAtMs).toISOString();
  return { letter: letter.id, becomes: 'event', event: { id: event.eventId, type: event.fields.event_type, at } };
}

const safe = (text: string): string => readable(Buffer.from(text));

function lineOf(outlook: Outlook): string {
  const told = `letter ${outlook.letter}`.padEnd(16);
  switch (outlook.becomes) {
    case 'event':
      return `${told} ${outlook.event.type} ${outlook.event.id} of ${outlook.event.at}`;
    case 'letter':
      return `${told} refused again: ${safe(outlook.detail)}`;
    case 'unrepaired':
      return `${told} cannot be repaired: ${safe(outlook.why)}`;
    default:
      return `${told} left out by the transform`;
  }
}

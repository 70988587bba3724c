// `weir verify`: counts the topic again, id by id, recomputes every result table, and says what differs.
import type { Command } from 'commander';

import type { Check, Coverage, Verification } from '../pipeline/check.ts';
import { pipelineSpec } from '../pipeline/settings.ts';
import type { VerificationRun } from '../postgres/verifications.ts';
import { addressesOf } from './addresses.ts';
import { WHERE, createCommand, settingsOf } from './command.ts';
import { explain } from './failure.ts';
import { grouped, plural, printJson, printLine, printProgress, styled, tableOf } from './output.ts';
import { openProgressLine, progressBar, shareBar } from './progress-line.ts';
import { recordOutcome } from './record-verification.ts';
import { verifyPipeline } from './verify-pipeline.ts';
import type { VerifyProgress } from './verify-pipeline.ts';

/** Exit code 0: everything agrees; 1: something differs; 2: it could not be found out. */
export function verifyCommand(): Command {
  return createCommand({
    name: 'verify',
    summary: 'prove that nothing is lost, doubled or wrong: recount the topic and recompute every result',
    more: [
      'Holds the counts of every partition against its offsets and rows, reads the topic again and compares it id by id with',
      'events and dead letters, and recomputes every closed window, session and funnel from the events. Changes none of them and',
      'may run while events come in: what commits after it began is not looked at. Exit code 1 when anything differs. The outcome',
      'is written to the table verifications, for metrics and alerts.',
    ].join('\n'),
    examples: [
      ['weir verify', 'a table of checks, with the first differences of each'],
      ['weir verify --json | jq .differences', 'the same for a program'],
    ],
    settings: [...WHERE, 'maxFutureMs', 'retentionMs'],
  })
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }, command: Command) => {
      const { settings } = settingsOf(command);
      const { kafka, postgres } = addressesOf(settings);
      const progress = openProgressLine();
      const startedMs = performance.now();
      const record = async (outcome: VerificationRun['outcome']): Promise<string | null> =>
        await recordOutcome(settings, { elapsedMs: performance.now() - startedMs, outcome });
      try {
        const verification = await verifyPipeline({
          brokers: kafka.brokers,
          postgresUrl: postgres.url,
          spec: pipelineSpec(settings),
          onProgress: (step) => progress.show(progressOf(step)),
        }).finally(progress.clear);
        if (json) printJson(verification);
        else printVerification(verification);
        const unrecorded = await record({ verification });
        if (unrecorded !== null) printProgress(unrecorded);
        if (!verification.clean) process.exitCode = 1;
      } catch (thrown) {
        // What keeps it from verifying may keep it from writing too: one sentence is enough.
        await record({ problem: explain(thrown).lines.join(' ') });
        throw thrown;
      }
    });
}

function progressOf({ step, done, of }: VerifyProgress): string {
  const what = `Verifying: ${step}`;
  if (done === null || of === null) return what;
  // The other lengths are spans of event time.
  return step === 'topic' ? `${progressBar(what, done, of)} messages` : shareBar(what, done, of);
}

function printVerification({ topic, schema, takenAt, checks, coverage, differences, clean }: Verification): void {
  printLine(`Topic ${topic}, schema ${schema}, as of ${takenAt}`);
  printLine();
  const rows = checks.map(({ name, expected, found, differences: wrong, claim }) => [
    name,
    grouped(expected),
    grouped(found),
    grouped(wrong),
    claim,
  ]);
  printLine(tableOf(['check', 'expected', 'found', 'differences', 'what must hold'], rows));
  printLine();
  for (const note of notesOf(coverage)) printLine(note);
  for (const check of checks) printExamples(check);
  printLine();
  printLine(
    clean
      ? styled('green', 'Verified: nothing is missing, doubled, foreign or wrong.')
      : styled('red', `${plural(differences, 'difference')}: see the examples above; --json has the same.`),
  );
}

function printExamples({ name, differences, examples }: Check): void {
  if (differences === 0) return;
  printLine();
  printLine(styled('bold', `${name}: ${plural(differences, 'difference')}`));
  for (const example of examples) printLine(`  ${example}`);
  // One example may stand for several differences (a partition's count): only a full list is said to be cut.
  if (examples.length < differences && examples.length > 1) printLine('  ...');
}

function notesOf(coverage: Coverage): string[] {
  const { recountedMessages, resultsThrough, beyondRecount, acceptedGaps } = coverage;
  const { lateWaiting, lateBeyondHorizon, unstorable, refusedByOlder, countedTwice } = coverage;
  const notes = [
    `${plural(recountedMessages, 'message')} of the topic recounted; results recomputed through ${resultsThrough ?? 'nothing: no window is closed yet'}.`,
  ];
  const when = (count: number, note: string): void => {
    if (count > 0) notes.push(note);
  };
  when(lateWaiting, `${plural(lateWaiting, 'late event')} not in the windows yet: the next amendment takes them in.`);
  when(
    lateBeyondHorizon,
    `${plural(lateBeyondHorizon, 'late event')} beyond the amend horizon: stored and listed, left out of the windows.`,
  );
  when(beyondRecount, `${plural(beyondRecount, 'row')} not recounted: the log no longer holds their messages.`);
  when(acceptedGaps, `${plural(acceptedGaps, 'offset')} accepted as lost (table gaps).`);
  when(unstorable, `${plural(unstorable, 'valid message')} that PostgreSQL refused to store, kept as dead letters.`);
  when(
    refusedByOlder,
    `${plural(refusedByOlder, 'message')} of a version that an older build refused and this one knows: dead letters; weir dead-letters replay --reason unsupported_version sends those that are still open.`,
  );
  const { events, letters } = countedTwice;
  when(
    events + letters,
    `${plural(events, 'event')} and ${plural(letters, 'dead letter')} counted by two runs: they had been deleted, and reading the topic again put them back.`,
  );
  return notes;
}

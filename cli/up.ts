// `weir up`: everything from servers to a live view with one command, and an orderly end on Ctrl-C.
import type { Command } from 'commander';

import { must } from '../pipeline/ensure.ts';
import { SETTING_NAMES } from '../pipeline/settings.ts';
import type { Settings } from '../pipeline/settings.ts';
import { findPrometheus } from '../local/prometheus-server.ts';
import { runningServers } from '../local/stack.ts';
import { runBounded } from './bounded-run.ts';
import { prepareGround, setToWork } from './bring-up.ts';
import type { Plan, Running } from './bring-up.ts';
import { createCommand, settingsOf } from './command.ts';
import { formatDuration } from '../pipeline/duration.ts';
import { DEMO, DEMO_RULES, demoSpec, withDemoRules } from './demo.ts';
import type { DemoWish } from './demo.ts';
import { CliFailure } from './failure.ts';
import { number } from './generator-flags.ts';
import { listenForInterrupts } from '../workers/interrupts.ts';
import type { Interrupts } from '../workers/interrupts.ts';
import { addressLines } from './live-view.ts';
import { printLine } from './output.ts';
import { UP_NAME, forgetProcess, liveProcess, recordProcess } from './process-record.ts';
import { takeDown, takeDownAtOnce } from './take-down.ts';
import { watchLive } from './watch-live.ts';

type Flags = {
  readonly detach?: boolean;
  readonly rate?: number;
  readonly seed?: number;
  readonly generator: boolean;
  readonly untilCaughtUp?: boolean;
  readonly createTopic?: boolean;
  readonly prometheus?: boolean;
  readonly json?: boolean;
};

/** The command. */
export function upCommand(): Command {
  return createCommand({
    name: 'up',
    summary: 'start everything and watch it: servers, tables, topic, workers, pipeline, demo events',
    more: [
      `With the demo generator windows close ${formatDuration(DEMO_RULES.latenessMs)} behind the newest event and a session ends after`,
      `${formatDuration(DEMO_RULES.sessionGapMs)} of silence, unless --lateness and --session-gap say otherwise; without it the defaults hold.`,
      'Ctrl-C pauses the generator, lets workers commit what is in hand and stops what was',
      'started; the next `weir up` goes on from there. A second Ctrl-C ends at once, which loses nothing either.',
    ].join('\n'),
    examples: [
      ['weir up --rate 2000', 'the demo with 2,000 events a second'],
      ['weir up --detach', 'leave everything running; `weir down` ends it'],
      ['weir up --detach --prometheus', 'the same with a Prometheus that knows the alerts of docs/runbook.md'],
      ['weir up --no-generator --until-caught-up', 'take in what the topic holds, close every window, end'],
    ],
    settings: SETTING_NAMES,
  })
    .option('--detach', 'leave everything running and return')
    .option('--rate <number>', `events per second of the demo generator (default ${DEMO.rate})`, number)
    .option('--seed <number>', 'seed of the demo generator (default: chosen anew)', number)
    .option('--no-generator', 'make no events')
    .option('--until-caught-up', 'with --no-generator: end when everything the topic holds now is taken in and closed')
    .option('--create-topic', 'create a missing topic also on a Kafka named by WEIR_KAFKA_BROKERS')
    .option('--prometheus', "run this machine's Prometheus too, with rules and alerts, and the workers as targets")
    .option('--json', 'with --until-caught-up: print the summary as JSON')
    .action(async (flags: Flags, command: Command) => {
      checkTogether(flags);
      // Said before anything starts.
      if (flags.prometheus) findPrometheus();
      const { settings, origins } = settingsOf(command);
      const demo = flags.generator ? { rate: flags.rate ?? null, seed: flags.seed ?? null } : null;
      if (demo !== null) demoSpec(settings.topic, demo);
      const ruled = demo === null ? settings : withDemoRules(settings, origins);
      await up(flags, { demo, settings: flags.prometheus ? withTemporalMetrics(ruled) : ruled });
    });
}

/** Of the metrics of Temporal's SDK some alerts are made, so with Prometheus each worker serves them: on any free port, unless told where. */
function withTemporalMetrics(settings: Settings): Settings {
  return { ...settings, temporalMetricsAddress: settings.temporalMetricsAddress ?? '127.0.0.1:0' };
}

function checkTogether({ generator, untilCaughtUp, detach, rate, seed, json }: Flags): void {
  if (untilCaughtUp && generator) {
    throw new CliFailure(
      '--until-caught-up needs --no-generator: a topic that grows all the time has no end to reach.',
    );
  }
  if (untilCaughtUp && detach) throw new CliFailure('--until-caught-up ends by itself; leave --detach out.');
  if (!generator && (rate ?? seed) !== undefined)
    throw new CliFailure("--rate and --seed are the generator's; leave --no-generator out.");
  if (json && !untilCaughtUp)
    throw new CliFailure('--json belongs to --until-caught-up; `weir status --json` describes a running pipeline.');
}

async function up(flags: Flags, { demo, settings }: { demo: DemoWish | null; settings: Settings }): Promise<void> {
  const other = liveProcess(settings.home, UP_NAME);
  if (other !== null) {
    throw new CliFailure(
      `\`weir up\` runs already as process ${other.pid}; watch it with \`weir status --watch\`, end it with \`weir down\`.`,
    );
  }
  const interrupts = listenForInterrupts();
  const report = flags.json ? (line: string): void => void process.stderr.write(`${line}\n`) : printLine;
  const plan: Plan = {
    settings,
    demo,
    createTopic: Boolean(flags.createTopic),
    prometheus: Boolean(flags.prometheus),
    keep: runningServers(settings.home),
    report,
    signal: interrupts.signal,
  };
  insistOn({ plan, interrupts });
  try {
    const ground = await prepareGround(plan);
    must(recordProcess(settings.home, UP_NAME, process.pid) || null, 'the identity of this very process');
    const running = await setToWork(plan, ground);
    await work(flags, { plan, running, interrupts });
  } catch (thrown) {
    if (liveProcess(settings.home, UP_NAME)?.pid === process.pid) await takeDown(plan);
    if (!interrupts.signal.aborted) throw thrown;
    process.exitCode = flags.untilCaughtUp ? 1 : 0;
  } finally {
    if (liveProcess(settings.home, UP_NAME)?.pid === process.pid) forgetProcess(settings.home, UP_NAME);
  }
  // Connections of the client may hold the process for a while after it has said everything.
  process.exit();
}

type Run = { readonly plan: Plan; readonly running: Running; readonly interrupts: Interrupts };

async function work(flags: Flags, { plan, running, interrupts }: Run): Promise<void> {
  if (flags.detach) {
    running.crew.handOver();
    await running.control.close();
    for (const line of addressLines(running)) printLine(line);
    printLine('Everything runs on its own now; `weir status --watch` looks at it, `weir down` ends it.');
    return;
  }
  if (flags.untilCaughtUp) await runBounded(running, { ...plan, json: Boolean(flags.json) });
  else await watchLive(running, plan);
  running.crew.leave();
  await running.control.close();
  await takeDown(plan);
  if (!flags.untilCaughtUp) printLine('`npm start` (or `weir up`) goes on where this run stopped.');
  else if (interrupts.signal.aborted) process.exitCode = 1;
}

/** The second Ctrl-C kills the workers and stops the servers; the third waits for nothing. */
function insistOn({ plan, interrupts }: Pick<Run, 'plan' | 'interrupts'>): void {
  interrupts.onInsisting(() => {
    interrupts.onInsisting(() => {
      plan.report('Servers may still run; `weir down` ends them.');
      process.exit(130);
    });
    void takeDownAtOnce(plan).finally(() => process.exit(130));
  });
}

// `weir stack`: the three servers on this machine, without the pipeline.
import type { Command } from 'commander';

import { PROMETHEUS, SERVER_NAMES, SERVER_TITLES, homeFolder, logFile } from '../local/home-folder.ts';
import type { ServerName } from '../local/home-folder.ts';
import { prometheusStatus } from '../local/prometheus-server.ts';
import type { PrometheusStatus } from '../local/prometheus-server.ts';
import { withoutPassword } from '../pipeline/url-password.ts';
import { resetStack, stackStatus, startStack, stopStack } from '../local/stack.ts';
import type { StackAddresses, StackStatus } from '../local/stack.ts';
import type { SettingName } from '../pipeline/setting-table.ts';
import type { Settings } from '../pipeline/settings.ts';
import { createCommand, settingsOf } from './command.ts';
import { saysYes } from './consent.ts';
import { CliFailure } from './failure.ts';
import { printJson, printLine, printProgress, tableOf } from './output.ts';
import { UP_NAME, liveProcess, recordedWorkers } from './process-record.ts';

const SERVERS: readonly SettingName[] = ['home', 'kafkaBrokers', 'postgresUrl', 'temporalAddress', 'temporalNamespace'];

/** The command with its four parts. */
export function stackCommand(): Command {
  return createCommand({
    name: 'stack',
    summary: 'the servers on this machine: Kafka, PostgreSQL and Temporal',
    examples: [['weir stack start', 'start what is not running']],
  })
    .addCommand(startCommand())
    .addCommand(stopCommand())
    .addCommand(statusCommand())
    .addCommand(resetCommand());
}

function startCommand(): Command {
  return createCommand({
    name: 'start',
    summary: 'start the servers that no address replaces, and wait until they answer',
    more: 'They go on running after this command; `weir stack stop` stops them. Data and logs lie in the home folder.',
    examples: [
      ['weir stack start', 'all three'],
      ['weir stack start --kafka-brokers broker:9092', 'PostgreSQL and Temporal only'],
    ],
    settings: SERVERS,
  })
    .option('--json', 'print the addresses as JSON')
    .action(async ({ json }: { json?: boolean }, command: Command) => {
      const { settings } = settingsOf(command);
      const addresses = await startOrStop(settings);
      if (json) printJson(addresses);
      else printAddresses(addresses);
    });
}

/** A Ctrl-C while servers start (a first build takes minutes) stops those that are up already. */
async function startOrStop(settings: Settings): Promise<StackAddresses> {
  const interruption = new AbortController();
  const interrupt = (): void => interruption.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    return await startStack({ ...settings, report: printProgress, signal: interruption.signal });
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    throw new CliFailure('Interrupted: the servers that this command had started are stopped again.', { cause: error });
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

function stopCommand(): Command {
  return createCommand({
    name: 'stop',
    summary: 'stop the servers that were started here; their data stays',
    examples: [['weir stack stop', 'stop all that run']],
    settings: ['home'],
  })
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }, command: Command) => {
      const { settings } = settingsOf(command);
      const stopped = await stopStack(settings);
      if (json) printJson({ stopped });
      else if (stopped.length === 0) printLine(`No server of ${settings.home} was running.`);
      else printLine(`Stopped ${stopped.map((name) => SERVER_TITLES[name]).join(', ')}.`);
    });
}

function statusCommand(): Command {
  return createCommand({
    name: 'status',
    summary: 'where each server is and whether it answers; exit code 1 when one does not',
    examples: [['weir stack status --json', 'addresses for other programs; the PostgreSQL URL holds its password']],
    settings: SERVERS,
  })
    .option('--json', 'print addresses and states as JSON')
    .action(async ({ json }: { json?: boolean }, command: Command) => {
      const { settings } = settingsOf(command);
      const status = await stackStatus(settings);
      if (status === null) {
        throw new CliFailure(
          `No local stack is known in ${settings.home}; \`weir stack start\` starts one, or WEIR_KAFKA_BROKERS, WEIR_POSTGRES_URL and WEIR_TEMPORAL_ADDRESS name servers that run already.`,
        );
      }
      const prometheus = await prometheusStatus(settings.home);
      if (json) printJson({ ...statusJson(status), prometheus });
      else printStatus(status, prometheus, settings);
      const answering = SERVER_NAMES.every((name) => ['running', 'elsewhere'].includes(status.servers[name].state));
      if (!answering) process.exitCode = 1;
    });
}

function resetCommand(): Command {
  return createCommand({
    name: 'reset',
    summary: 'stop the servers and delete everything they store',
    more: 'Servers that an address replaces are left alone. Asks first; without a terminal it needs --yes.',
    examples: [['weir stack reset --yes', 'begin anew without being asked']],
    settings: ['home'],
  })
    .option('--yes', 'do not ask')
    .action(async ({ yes }: { yes?: boolean }, command: Command) => {
      const { settings } = settingsOf(command);
      refuseWhileInUse(settings);
      if (!yes && !(await isAgreed(settings))) {
        printLine('Nothing was deleted.');
        return;
      }
      const deleted = await resetStack(settings);
      printLine(deleted.length === 0 ? `There was nothing in ${settings.home}.` : `Deleted ${deleted.join(', ')}.`);
    });
}

function refuseWhileInUse({ home }: Settings): void {
  for (const name of [UP_NAME, ...recordedWorkers(home)]) {
    const live = liveProcess(home, name);
    if (live === null) continue;
    throw new CliFailure(`The pipeline in ${home} is running (${name}, process ${live.pid}); run \`weir down\` first.`);
  }
}

async function isAgreed({ home }: Settings): Promise<boolean> {
  return await saysYes({
    question: `Delete all events, results and workflows in ${home}?`,
    unasked: '`weir stack reset` deletes all data and nobody can be asked here; add --yes to do it.',
  });
}

function printAddresses({ kafka, postgres, temporal }: StackAddresses): void {
  printLine(`Kafka       ${kafka.brokers.join(',')}`);
  printLine(`PostgreSQL  ${withoutPassword(postgres.url)}`);
  printLine(`Temporal    ${temporal.address}${temporal.ui === null ? '' : `  Web UI ${temporal.ui}`}`);
}

function statusJson({ addresses, servers }: StackStatus): Record<ServerName, object> {
  return {
    kafka: { ...addresses.kafka, ...servers.kafka },
    postgres: { ...addresses.postgres, ...servers.postgres },
    temporal: { ...addresses.temporal, ...servers.temporal },
  };
}

function printStatus(
  { addresses, servers }: StackStatus,
  prometheus: PrometheusStatus | null,
  settings: Settings,
): void {
  const places: Record<ServerName, string> = {
    kafka: addresses.kafka.brokers.join(','),
    postgres: withoutPassword(addresses.postgres.url),
    temporal: addresses.temporal.address,
  };
  const home = homeFolder(settings.home);
  const rows = SERVER_NAMES.map((name) => {
    const { state, pid } = servers[name];
    const log = state === 'elsewhere' ? '-' : logFile(home, name);
    return [SERVER_TITLES[name], state, places[name], pid === null ? '-' : String(pid), log];
  });
  if (prometheus !== null) {
    const { state, address, pid } = prometheus;
    const log = logFile(home, PROMETHEUS);
    rows.push([SERVER_TITLES[PROMETHEUS], state, address, pid === null ? '-' : String(pid), log]);
  }
  printLine(tableOf(['Server', 'State', 'Address', 'Process', 'Log'], rows));
  if (addresses.temporal.ui !== null) printLine(`Temporal Web UI: ${addresses.temporal.ui}`);
}

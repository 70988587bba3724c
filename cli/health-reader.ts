// Looks at servers, workers, workflows and data as often as asked, over connections that it keeps while they are good.
import { describeTopic } from '../kafka/topics.ts';
import { queryOnce } from '../local/postgres-health.ts';
import type { DataFacts, HealthFacts, ServerTrouble, WorkflowFacts } from '../pipeline/health-facts.ts';
import type { Settings } from '../pipeline/settings.ts';
import { addressesOf } from './addresses.ts';
import { explain } from './failure.ts';
import { readData } from './health-data.ts';
import { readWorkflows } from './health-workflows.ts';
import { openStatusReader } from './status-report.ts';
import type { StatusReader } from './status-report.ts';
import { openControl } from './temporal-control.ts';
import type { Control } from './temporal-control.ts';
import { workersReadiness } from './worker-readiness.ts';
import { rulesOfRunning } from './workflow-troubles.ts';

/** A server that says nothing for this long counts as one that does not answer. */
const SILENT_AFTER_MS = 10_000;

type Told<T> =
  | { readonly value: T; readonly trouble: null }
  | { readonly value: null; readonly trouble: ServerTrouble };

export class HealthReader {
  readonly #settings: Settings;
  #rules: Partial<Settings> = {};
  #reader: StatusReader | null = null;
  #control: Control | null = null;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#reader?.close(), this.#control?.close()]);
  }

  /** Throws only what keeps it from asking at all: no address is known, or the schema is no pipeline's. */
  async look(): Promise<HealthFacts> {
    const { topic, home } = this.#settings;
    const { kafka, postgres } = addressesOf(this.#settings);
    const [broker, database, localWorkers] = await Promise.all([
      told('Kafka', () => describeTopic({ brokers: kafka.brokers, topic })),
      told('PostgreSQL', () => askPostgres(postgres.url)),
      workersReadiness(home),
    ]);
    const partitions = broker.value?.partitions.map((each) => each.partition) ?? null;
    const temporal = await told('Temporal', () => this.#workflows(partitions));
    if (temporal.value === null) await this.#dropControl();
    const refusal = database.value === null ? null : { sentence: database.value, silent: false };
    const databaseTrouble = database.trouble ?? refusal;
    const asked = broker.trouble === null && database.trouble === null;
    const data = asked ? await told('PostgreSQL', () => this.#data()) : null;
    if (data?.value === null) await this.#dropReader();
    return {
      topic,
      servers: {
        kafka: broker.trouble,
        // Both answered a moment ago: what fails now is what the tables say.
        postgres: databaseTrouble ?? data?.trouble ?? null,
        temporal: temporal.trouble,
      },
      localWorkers,
      data: data?.value ?? null,
      workflows: temporal.value,
    };
  }

  async #workflows(partitions: readonly number[] | null): Promise<WorkflowFacts> {
    const { topic, temporalNamespace: namespace } = this.#settings;
    const { address } = addressesOf(this.#settings).temporal;
    this.#control ??= await openControl({ address, namespace });
    const facts = await readWorkflows(this.#control, { topic, partitions });
    // The running pipeline closes by its own rules, whatever this call was given.
    if (facts.pipeline.running) this.#rules = await rulesOfRunning(this.#control, topic);
    return facts;
  }

  async #data(): Promise<DataFacts> {
    const settings = { ...this.#settings, ...this.#rules };
    this.#reader ??= await openStatusReader(settings);
    return await readData(this.#reader, settings);
  }

  async #dropControl(): Promise<void> {
    const control = this.#control;
    this.#control = null;
    await control?.close().catch(() => {});
  }

  async #dropReader(): Promise<void> {
    const reader = this.#reader;
    this.#reader = null;
    // A connection that does not answer may not end either: the process does not wait for it.
    void reader?.close().catch(() => {});
  }
}

/** What was asked for, or one sentence why there is no answer. Errors that are no server's trouble pass through. */
async function told<T>(title: string, ask: () => Promise<T>): Promise<Told<T>> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Silence(title)), SILENT_AFTER_MS);
  });
  try {
    return { value: await Promise.race([ask(), silence]), trouble: null };
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === 'RestoredSchemaError') throw thrown;
    if (thrown instanceof Silence) return { value: null, trouble: { sentence: thrown.message, silent: true } };
    return { value: null, trouble: { sentence: explain(thrown).lines.join(' '), silent: false } };
  } finally {
    clearTimeout(timer);
  }
}

class Silence extends Error {
  constructor(title: string) {
    super(
      `${title} says nothing within ${SILENT_AFTER_MS / 1000} s: see its log, and \`weir stack status\` for its address.`,
    );
  }
}

/** A sentence when it answers and takes no writes, else null. */
async function askPostgres(url: string): Promise<string | null> {
  const [row] = await queryOnce(
    url,
    `select pg_is_in_recovery() as standby, current_setting('default_transaction_read_only') = 'on' as read_only`,
  );
  if (row?.['standby'] === true) {
    return 'PostgreSQL is a standby and takes no writes: name the primary in WEIR_POSTGRES_URL, or promote this one.';
  }
  if (row?.['read_only'] === true) {
    return 'PostgreSQL is read-only (default_transaction_read_only), so nothing commits: turn that off for this server, database or user.';
  }
  return null;
}

// Speaking to the workflows from the command line: Updates with a deadline, queries, starts, and clear words when nobody answers.
import type { Client, WorkflowHandle } from '@temporalio/client';

import { clientSecurity, securityHint } from '../local/temporal-security.ts';
import { messageOf } from '../pipeline/ensure.ts';
import { TASK_QUEUES } from '../pipeline/ids.ts';
import { CliFailure } from './failure.ts';
import { TOPIC_KEY, hasSearchAttributes } from './search-attributes.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 5_000;
/** gRPC codes of a call that ran into its deadline: which of the two depends on who noticed first. */
const CANCELLED = 1;
const DEADLINE_EXCEEDED = 4;
/** What a query gets where no worker has polled for a while. */
const FAILED_PRECONDITION = 9;

/** Which workflow is meant, and how people call it: "The pipeline of topic orders". `startHint`: what starts it. */
export type Target = { readonly id: string; readonly title: string; readonly startHint: string };

export type Control = {
  readonly client: Client;
  /** Sends an Update and waits for its answer. Throws CliFailure when the workflow is not there or no worker answers. */
  update<Answer>(
    target: Target,
    name: string,
    options?: { args?: readonly unknown[]; withinMs?: number },
  ): Promise<Answer>;
  /** The answer to the Query `state`, under the same rules. */
  state<Answer>(target: Target): Promise<Answer>;
  isRunning(id: string): Promise<boolean>;
  close(): Promise<void>;
};

/** Connects, or throws one sentence. */
export async function openControl({ address, namespace }: { address: string; namespace: string }): Promise<Control> {
  // Loaded here, because it takes as long to load as everything else together, and most commands do without it.
  const { Client: TemporalClient, Connection } = await import('@temporalio/client');
  const connection = await Connection.connect({
    address,
    connectTimeout: CONNECT_TIMEOUT_MS,
    ...clientSecurity(),
  }).catch((cause: unknown) => {
    throw new CliFailure(
      `Temporal at ${address} does not answer; see \`weir stack status\`, start it with \`weir up\`, or correct WEIR_TEMPORAL_ADDRESS${securityHint()}.`,
      { cause },
    );
  });
  const client = new TemporalClient({ connection, namespace });
  const ask = async <Answer>(
    target: Target,
    { withinMs, isOrder }: { withinMs: number; isOrder: boolean },
    question: (handle: WorkflowHandle) => Promise<Answer>,
  ): Promise<Answer> => {
    try {
      return await client.withDeadline(
        Date.now() + withinMs,
        async () => await question(client.workflow.getHandle(target.id)),
      );
    } catch (thrown) {
      throw await explainSilence(client, { ...target, isOrder }, thrown);
    }
  };
  return {
    client,
    update: async (target, name, { args = [], withinMs = ANSWER_TIMEOUT_MS } = {}) =>
      await ask(target, { withinMs, isOrder: true }, async (handle) => await sendUpdate(handle, name, args)),
    state: async (target) =>
      await ask(target, { withinMs: ANSWER_TIMEOUT_MS, isOrder: false }, async (handle) => await handle.query('state')),
    isRunning: async (id) => await isRunning(client, id),
    close: async () => await connection.close(),
  };
}

/** The client's types want at least one argument, or none at all. */
async function sendUpdate<Answer>(handle: WorkflowHandle, name: string, args: readonly unknown[]): Promise<Answer> {
  const [first, ...rest] = args;
  if (first === undefined) return await handle.executeUpdate(name);
  return await handle.executeUpdate<Answer, [unknown, ...unknown[]]>(name, { args: [first, ...rest] });
}

const isRunning = async (client: Client, id: string): Promise<boolean> => (await runningMemo(client, id)) !== null;

/** What a workflow that runs was started with for people and programs to see; null where none of this id runs. */
export async function runningMemo(client: Client, id: string): Promise<Record<string, unknown> | null> {
  try {
    const { status, memo } = await client.workflow.getHandle(id).describe();
    return status.name === 'RUNNING' ? (memo ?? {}) : null;
  } catch (thrown) {
    if (isNotFound(thrown)) return null;
    throw thrown;
  }
}

type Asked = Target & { readonly isOrder: boolean };

async function explainSilence(
  client: Client,
  { id, title, startHint, isOrder }: Asked,
  thrown: unknown,
): Promise<unknown> {
  if (isNotFound(thrown)) return new CliFailure(`${title} does not run; ${startHint}.`, { cause: thrown });
  if (!isSilence(thrown)) return new CliFailure(`${title} refuses: ${rootMessage(thrown)}.`, { cause: thrown });
  if (!(await isRunning(client, id).catch(() => true))) {
    return new CliFailure(`${title} does not run; ${startHint}.`, { cause: thrown });
  }
  // Temporal keeps the Update for a while, and gives it to the next worker.
  const later = isOrder ? ' What was asked may be done then.' : '';
  return new CliFailure(
    `${title} does not answer: most likely no worker is up; start one with \`weir worker\` or \`weir up\`.${later}`,
    { cause: thrown },
  );
}

const isNotFound = (thrown: unknown): boolean => thrown instanceof Error && thrown.name === 'WorkflowNotFoundError';

function isSilence(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  if ('code' in thrown && typeof thrown.code === 'number') {
    return [CANCELLED, DEADLINE_EXCEEDED, FAILED_PRECONDITION].includes(thrown.code);
  }
  return thrown.name === 'WorkflowUpdateRPCTimeoutOrCancelledError' || isSilence(thrown.cause);
}

function rootMessage(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return cause instanceof Error ? rootMessage(cause) : messageOf(thrown).replace(/\.$/, '');
}

type Ensure = {
  readonly type: string;
  readonly id: string;
  readonly queue: keyof typeof TASK_QUEUES;
  readonly input: unknown;
  readonly memo?: Record<string, unknown>;
  /** One line, and some Markdown, that people see beside it in the Web UI. */
  readonly summary: string;
  readonly details: string;
  /** Whose topic it works for: what the Web UI finds it by, where the server has the search attributes. */
  readonly topic: string;
};

/** Makes sure that a workflow of this type and id runs; answers whether it had to be started. */
export async function ensureWorkflow(
  { client }: Control,
  { type, id, queue, input, memo, summary, details, topic }: Ensure,
): Promise<{ started: boolean }> {
  const wasRunning = await isRunning(client, id);
  const searchable = await hasSearchAttributes(client);
  await client.workflow.start(type, {
    workflowId: id,
    taskQueue: TASK_QUEUES[queue],
    args: [input],
    ...(memo ? { memo } : {}),
    ...(searchable ? { typedSearchAttributes: [{ key: TOPIC_KEY, value: topic }] } : {}),
    staticSummary: summary,
    staticDetails: details,
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
  });
  return { started: !wasRunning };
}

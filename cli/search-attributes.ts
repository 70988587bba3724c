// Makes sure that Temporal knows the search attributes of the workflows, where this client may do so; all works without them.
import { setTimeout as wait } from 'node:timers/promises';

import type { Client } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { encodeSearchAttributeIndexedValueType } from '@temporalio/common/lib/search-attributes.js';

import { messageOf, must } from '../pipeline/ensure.ts';
import { SEARCH_ATTRIBUTES } from '../pipeline/search-attributes.ts';

const ALL = Object.values(SEARCH_ATTRIBUTES);
/** A server reads its list of attributes again every now and then: its own tests wait up to a minute. */
const USABLE_WITHIN_MS = 15_000;
const LOOK_EVERY_MS = 250;
const ALREADY_EXISTS = 6;

/** The attribute that every workflow of a topic carries. */
export const TOPIC_KEY = defineSearchAttributeKey(SEARCH_ATTRIBUTES.topic.name, SEARCH_ATTRIBUTES.topic.type);

/** Whether all attributes are there, of the right type. Never throws: who may not ask does without them. */
export async function hasSearchAttributes(client: Client): Promise<boolean> {
  return await missingAttributes(client).then(
    (missing) => missing.length === 0,
    () => false,
  );
}

/** Registers what is missing. Returns null when all are usable, or one sentence why workflows go on without them. */
export async function ensureSearchAttributes(client: Client): Promise<string | null> {
  try {
    const missing = await missingAttributes(client);
    if (missing.length === 0) return null;
    await register(client, missing);
    return (await areUsable(client)) ? null : sentence('the server does not use them yet; the next start will');
  } catch (thrown) {
    return sentence(`${messageOf(thrown)}; somebody who may can make them: ${commands()}`);
  }
}

const sentence = (why: string): string =>
  `Workflows cannot be searched for by topic, partition and window: ${why.replace(/\.$/, '')}.`;

function commands(): string {
  const words = ALL.map(({ name, type }) => `--name ${name} --type ${type.charAt(0)}${type.slice(1).toLowerCase()}`);
  return `\`temporal operator search-attribute create ${words.join(' ')}\``;
}

type Attribute = (typeof ALL)[number];

/** Throws what the server says, and where an attribute of the name has another type. */
async function missingAttributes({ connection, options }: Client): Promise<readonly Attribute[]> {
  const { namespace } = options;
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  return ALL.filter(({ name, type }) => {
    const known = customAttributes?.[name];
    if (known === undefined || known === null) return true;
    if (known === encodeSearchAttributeIndexedValueType(type)) return false;
    throw new Error(`the search attribute ${name} of namespace ${namespace} is not of type ${type}`);
  });
}

async function register({ connection, options }: Client, missing: readonly Attribute[]): Promise<void> {
  const searchAttributes = Object.fromEntries(
    missing.map(({ name, type }) => [
      name,
      must(encodeSearchAttributeIndexedValueType(type), `the code of type ${type}`),
    ]),
  );
  try {
    await connection.operatorService.addSearchAttributes({ namespace: options.namespace, searchAttributes });
  } catch (thrown) {
    // Somebody else was faster.
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === ALREADY_EXISTS)) throw thrown;
  }
}

/** A query by every attribute is refused until the server knows them. */
async function areUsable({ workflow }: Client): Promise<boolean> {
  const { topic, partition, window } = SEARCH_ATTRIBUTES;
  const query = `${topic.name} = 'none' AND ${partition.name} = 0 AND ${window.name} > '2000-01-01T00:00:00Z'`;
  const deadlineMs = performance.now() + USABLE_WITHIN_MS;
  for (;;) {
    try {
      await workflow.count(query);
      return true;
    } catch {
      if (performance.now() > deadlineMs) return false;
    }
    await wait(LOOK_EVERY_MS);
  }
}

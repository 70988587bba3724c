// What the Web UI shows of each child beside its id, from its start on, and what it is found by: one line, a few sentences for
// who opens it, search attributes.
import { isoTime } from './details.ts';
import { foundBy } from './search-attributes.ts';

type Words = { readonly staticSummary: string; readonly staticDetails: string } & ReturnType<typeof foundBy>;

const ONWARD = 'Its current details say what it does now.';

/** `ingestPartition`. */
export const partitionWords = (topic: string, partition: number): Words => ({
  ...foundBy({ partition }),
  staticSummary: `partition ${partition} of ${topic}`,
  staticDetails: `Reads partition ${partition} of Kafka topic **${topic}** into PostgreSQL, exactly once, by leases of a few minutes. ${ONWARD} \`weir partition pause ${partition}\`, \`resume\`, \`rewind\` and \`accept-gap\` speak to it.`,
});

/** `closeWindows`. */
export const windowsWords = (topic: string): Words => ({
  ...foundBy(),
  staticSummary: `windows of ${topic}`,
  staticDetails: `Follows event time of topic **${topic}**: starts one \`closeWindow\` for each boundary that the low watermark passes, and amends windows for late events. ${ONWARD} \`weir windows --why TIME\` says what a window waits for.`,
});

/** `commitOffsets`. */
export const offsetsWords = (topic: string): Words => ({
  ...foundBy(),
  staticSummary: `Kafka offsets of ${topic}`,
  staticDetails: `Publishes the checkpoints of topic **${topic}** as offsets of the Kafka group \`weir\`, so that Kafka's own tools see the lag. Nothing reads them back: PostgreSQL alone knows the progress.`,
});

/** `publishLetters`. */
export const lettersWords = (topic: string): Words => ({
  ...foundBy(),
  staticSummary: `dead letters of ${topic}`,
  staticDetails: `Publishes the dead letters of topic **${topic}** from PostgreSQL to topic **${topic}.dead-letters**, at least once. ${ONWARD} \`weir dead-letters list\` shows them.`,
});

/** `closeWindow`. Epoch ms of event time. */
export function closeWords(
  topic: string,
  { fromMs, throughMs }: { readonly fromMs: number | null; readonly throughMs: number },
): Words {
  const through = isoTime(throughMs);
  return {
    ...foundBy({ throughMs }),
    staticSummary: `close event time ${isoTime(fromMs)} to ${through}`,
    staticDetails: `Closes event time of topic **${topic}** up to **${through}**: from then on, older events are late, and every window that ends there gets its result, once. Its result counts windows, panes and events.`,
  };
}

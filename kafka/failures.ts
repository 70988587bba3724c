// What can go wrong with Kafka that a caller must decide about: one class per decision, each a sentence that says what to do.

import { securityRemedy } from './security.ts';

export type PartitionPlace = { readonly topic: string; readonly partition: number };

/** Guarantee 8: messages that were never read are gone from the log. The partition must stop until a person accepts the gap. */
export class LostRangeError extends Error {
  override readonly name = 'LostRangeError';
  readonly topic: string;
  readonly partition: number;
  readonly wanted: number;
  readonly logStart: number;

  constructor(lost: PartitionPlace & { readonly wanted: number; readonly logStart: number }) {
    super(
      `Offsets ${lost.wanted} to ${lost.logStart - 1} of partition ${lost.partition} of topic ${lost.topic} are gone: ` +
        `its log now starts at ${lost.logStart}; restore them, or accept the loss with ` +
        `\`weir partition accept-gap ${lost.partition}\`.`,
    );
    this.topic = lost.topic;
    this.partition = lost.partition;
    this.wanted = lost.wanted;
    this.logStart = lost.logStart;
  }
}

/** The position lies behind the end of the log: the topic was deleted and made again, or its log was cut. */
export class OffsetBeyondEndError extends Error {
  override readonly name = 'OffsetBeyondEndError';
  readonly topic: string;
  readonly partition: number;
  readonly wanted: number;
  readonly logEnd: number;

  constructor(beyond: PartitionPlace & { readonly wanted: number; readonly logEnd: number }) {
    super(
      `Partition ${beyond.partition} of topic ${beyond.topic} was read up to offset ${beyond.wanted}, but its log ends at ` +
        `${beyond.logEnd}: the topic was made again or its log was cut; check that the topic and the broker are the right ` +
        `ones, then choose a position with \`weir partition rewind ${beyond.partition}\`.`,
    );
    this.topic = beyond.topic;
    this.partition = beyond.partition;
    this.wanted = beyond.wanted;
    this.logEnd = beyond.logEnd;
  }
}

/** Trouble that should have passed by now: another worker, or a later try, may fare better. */
export class LongTroubleError extends Error {
  override readonly name = 'LongTroubleError';

  constructor(trouble: PartitionPlace & { readonly lastedMs: number; readonly reason: string }, cause: unknown) {
    const { topic, partition, lastedMs, reason } = trouble;
    super(
      `Nothing could be read from partition ${partition} of topic ${topic} for ${Math.round(lastedMs / 1000)} s: ${reason}`,
      { cause },
    );
  }
}

/** Bytes of the log that can't be read: an unknown codec, an old message format, or a broken batch. */
export class UnreadableRecordsError extends Error {
  override readonly name = 'UnreadableRecordsError';
  readonly offset: number;

  constructor(where: { readonly offset: number }, sentence: string, options?: ErrorOptions) {
    super(sentence, options);
    this.offset = where.offset;
  }
}

/** The topic doesn't exist on a broker that does answer. */
export class TopicMissingError extends Error {
  override readonly name = 'TopicMissingError';
  readonly topic: string;

  constructor(topic: string, addresses: readonly string[]) {
    super(
      `Topic ${topic} does not exist on the Kafka broker at ${addresses.join(', ')}: create it, ` +
        `or set WEIR_TOPIC to one that exists.`,
    );
    this.topic = topic;
  }
}

/** No broker of the list answers. */
export class KafkaUnreachableError extends Error {
  override readonly name = 'KafkaUnreachableError';
  readonly addresses: readonly string[];

  constructor(addresses: readonly string[], cause: unknown) {
    const said = cause instanceof Error ? cause.message : '';
    const why = said === '' ? '' : ` (${said})`;
    const remedy = securityRemedy(said) ?? 'start it, or set WEIR_KAFKA_BROKERS to where it listens';
    super(`No Kafka broker answers at ${addresses.join(', ')}${why}: ${remedy}.`, { cause });
    this.addresses = addresses;
  }
}

/** Kafka said no for a reason that trying again doesn't change (not allowed, too large, bad name). */
export class KafkaRefusedError extends Error {
  override readonly name = 'KafkaRefusedError';
  /** Kafka's name of the reason, such as TOPIC_AUTHORIZATION_FAILED. */
  readonly reason: string;

  constructor(reason: string, sentence: string, options?: ErrorOptions) {
    super(sentence, options);
    this.reason = reason;
  }
}

// What became of replayed dead letters, written back in the transaction of the micro-batch that holds the replays: recovered
// as an event, or replaced by the letter of the message that was refused again. Any producer can name any id: what names no
// letter matches no row, and nothing here can fail for it.
import type { Event } from '../pipeline/event.ts';
import type { MicroBatch, Replay } from '../pipeline/micro-batch.ts';
import { storableMs } from './copy-buffer.ts';
import { instant } from './instant.ts';
import { quoteSchema } from './schema-name.ts';

/** A message that was refused so many times is parked: it goes again only when somebody names it. */
const MOST_ATTEMPTS = 5;

type Place = { readonly schema: string; readonly partition: number };

/**
 * Holds the replayed letters, always before the batch's rows and by id: the same replay, sent twice, may come in two
 * partitions at once, and the second must see what the first has made of the letter. Answers with one row.
 */
export function lockLettersSql(schema: string, replays: readonly Replay[]): string[] {
  if (replays.length === 0) return [];
  const ids = replays.map(({ letter }) => letter).join(', ');
  return [
    `select count(*) from (
       select from ${quoteSchema(schema)}.dead_letters where id in (${ids}) order by id for update
     ) as held`,
  ];
}

/** Statements without an answer, to be run behind the batch's rows. Nothing but numbers and parsed identities is in them. */
export function replayOutcomesSql(place: Place, replays: readonly Replay[]): string[] {
  const recovered = new Map<number, Recovered>();
  const refused: Replay[] = [];
  for (const replay of replays) {
    if (replay.event === null) refused.push(replay);
    else if (!recovered.has(replay.letter)) recovered.set(replay.letter, { ...replay, event: replay.event });
  }
  return [
    ...(recovered.size > 0 ? [recoveredSql(place.schema, [...recovered.values()])] : []),
    ...(refused.length > 0 ? refusedSql(place, refused) : []),
  ];
}

type Recovered = Replay & { readonly event: Event };

/** A letter without a mark was sent by the replay that the message names: it died before marking, or is about to mark. */
const sentBy = (letter: string): string =>
  `replay = coalesce(${letter}.replay, r.replay),
   sent_at = case when r.replay is null then ${letter}.sent_at else coalesce(${letter}.sent_at, now()) end`;

function recoveredSql(schema: string, recovered: readonly Recovered[]): string {
  const rows = recovered.map((each) => `(${each.letter}::bigint, ${replaySql(each)}, ${identitySql(each.event)})`);
  return `update ${quoteSchema(schema)}.dead_letters d
     set status = 'recovered', closed_at = now(), event_id = r.event_id, event_at = r.event_at, ${sentBy('d')}
    from (values ${rows.join(', ')}) as r (letter, replay, event_id, event_at)
   where d.id = r.letter and d.status <> 'recovered'`;
}

/** The parsed name: letters, digits, "_" and "-". */
const replaySql = ({ replay }: Replay): string => (replay === null ? 'null::text' : `'${replay}'::text`);

/** The parsed identity: 36 hexadecimal digits and dashes, and two numbers. */
function identitySql({ eventId, occurredAtMs, occurredAtUs }: Event): string {
  return `'${eventId}'::uuid, ${instant(occurredAtMs)} + interval '${occurredAtUs} microseconds'`;
}

/**
 * Links the batch's new letters with those they repeat. "New" is told by the time of this transaction: a message that is
 * read again finds its letter as it has become meanwhile. The second copy of one replay is discarded, but only when it is
 * the same message byte for byte: headers get copied to other messages too, and those letters must stay visible.
 */
function refusedSql({ schema, partition }: Place, refused: readonly Replay[]): string[] {
  const letters = `${quoteSchema(schema)}.dead_letters`;
  const rows = refused.map((each) => `(${each.letter}::bigint, ${each.offset}::bigint, ${replaySql(each)})`).join(', ');
  const offsets = refused.map(({ offset }) => offset).join(', ');
  const isNew = `c.kafka_partition = ${partition} and c.kafka_offset in (${offsets}) and c.created_at = now()`;
  return [
    `update ${letters} c
        set parent = p.id, attempt = p.attempt + 1,
            status = case when p.attempt + 1 >= ${MOST_ATTEMPTS} then 'parked' else 'open' end
       from (values ${rows}) as r (letter, "offset", replay) join ${letters} p on p.id = r.letter
      where ${isNew} and c.kafka_offset = r."offset"`,
    `update ${letters} d
        set status = 'discarded', closed_at = now(),
            note = format('The same replay of letter %s came twice: letter %s is the same message.', d.parent, twin.id)
       from (
         select c.id as second, min(s.id) as id
           from ${letters} c join ${letters} s on s.parent = c.parent and s.id < c.id
            and s.key is not distinct from c.key and s.value is not distinct from c.value
          where ${isNew}
          group by c.id
       ) as twin
      where d.id = twin.second`,
    `update ${letters} p
        set status = 'replaced', closed_at = now(), ${sentBy('p')}
       from ${letters} c join (values ${rows}) as r (letter, "offset", replay) on r."offset" = c.kafka_offset
      where ${isNew} and c.parent = p.id and c.status <> 'discarded' and p.status in ('open', 'sent', 'parked')`,
  ];
}

type Reread = Place & { readonly batch: Pick<MicroBatch, 'fromOffset' | 'toOffset' | 'duplicates'> };

/**
 * For a batch that is read again, behind its staged events: a letter whose message is valid now (newer rules) is recovered.
 * Statements without an answer.
 */
export function rereadOutcomesSql({ schema, partition, batch }: Reread): string[] {
  const update = `update ${quoteSchema(schema)}.dead_letters d
     set status = 'recovered', closed_at = now(), event_id = s.event_id, event_at = s.occurred_at,
         note = coalesce(d.note, 'Its message was valid when it was read again.')`;
  const samePlace = `d.kafka_partition = ${partition} and d.kafka_offset >= ${batch.fromOffset}
     and d.kafka_offset < ${batch.toOffset} and d.kafka_offset = s.kafka_offset
     and d.kafka_timestamp = s.kafka_timestamp and d.status <> 'recovered'`;
  const fromStage = `${update} from pg_temp.event_stage s where ${samePlace}`;
  if (batch.duplicates.length === 0) return [fromStage];
  // Events that occur twice in what was read since the lease began: only the first of them is in the stage.
  const rows = batch.duplicates.map(
    ({ event, message }) =>
      `(${message.offset}::bigint, ${instant(storableMs(message.timestampMs))}, ${identitySql(event)})`,
  );
  const columns = 'kafka_offset, kafka_timestamp, event_id, occurred_at';
  return [fromStage, `${update} from (values ${rows.join(', ')}) as s (${columns}) where ${samePlace}`];
}

// Compares the recounted topic with `events` and `dead_letters`, set against set: missing, foreign, doubled, altered.
import type pg from 'pg';

import { MAX_EXAMPLES, comparePartitions } from '../pipeline/check.ts';
import type { Check } from '../pipeline/check.ts';
import type { PartitionRun } from '../pipeline/partition-run.ts';
import { quoteSchema } from './schema-name.ts';

/** A comparison: SQL that returns one row {expected, differences} and SQL of example sentences, run only when needed. */
type Comparison = {
  readonly name: string;
  readonly claim: string;
  readonly count: string;
  /** Selects one text column. */
  readonly examples: string;
};

const ISO = `'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'`;

function eventComparisons(events: string): Comparison[] {
  const missing = `recounted_events t where not exists
    (select from ${events} e where e.occurred_at = t.occurred_at and e.event_id = t.event_id)`;
  const foreign = `${events} e join recounted_ranges r
      on e.kafka_partition = r.partition and e.kafka_offset >= r.from_offset and e.kafka_offset < r.to_offset
    where not exists (select from recounted_events t where t.partition = e.kafka_partition
      and t."offset" = e.kafka_offset and t.occurred_at = e.occurred_at and t.event_id = e.event_id)`;
  const doubled = `select occurred_at, event_id, count(*) as times from ${events} group by 1, 2 having count(*) > 1`;
  return [
    {
      name: 'missing events',
      claim: 'every valid message of the topic is in events',
      count: `select (select count(*) from recounted_events) as expected,
        (select count(*) from (select distinct t.occurred_at, t.event_id from ${missing}) m) as differences`,
      examples: `select format('Event %s at %s of partition %s, offset %s, is not in events.', t.event_id,
        to_char(t.occurred_at, ${ISO}), t.partition, t."offset") as example from ${missing}`,
    },
    {
      name: 'foreign events',
      claim: 'every row of events is the message at its partition and offset',
      count: `select (select count(*) from ${events} e join recounted_ranges r on e.kafka_partition = r.partition
          and e.kafka_offset >= r.from_offset and e.kafka_offset < r.to_offset) as expected,
        (select count(*) from ${foreign}) as differences`,
      examples: `select format('Row %s at %s says it is offset %s of partition %s, where the topic has no such event.',
        e.event_id, to_char(e.occurred_at, ${ISO}), e.kafka_offset, e.kafka_partition) as example from ${foreign}`,
    },
    {
      name: 'doubled events',
      claim: 'no identity is in events twice',
      count: `select 0 as expected, coalesce(sum(times - 1), 0) as differences from (${doubled}) d`,
      examples: `select format('Event %s at %s is in events %s times.', event_id, to_char(occurred_at, ${ISO}), times)
        as example from (${doubled}) d`,
    },
  ];
}

function deadLetterComparisons(deadLetters: string): Comparison[] {
  const same = `d.kafka_partition = t.partition and d.kafka_offset = t."offset"`;
  const missing = `recounted_rejections t where not exists (select from ${deadLetters} d where ${same})`;
  // A recovered letter may be valid by newer rules: then it, or a replay of it, became the event that it names.
  const foreign = `${deadLetters} d join recounted_ranges r
      on d.kafka_partition = r.partition and d.kafka_offset >= r.from_offset and d.kafka_offset < r.to_offset
    where not exists (select from recounted_rejections t where ${same})
      and not (d.status = 'recovered' and exists (select from recounted_events t where ${same}))`;
  const doubled = `select kafka_partition, kafka_offset, count(*) as times from ${deadLetters} group by 1, 2 having count(*) > 1`;
  const altered = `recounted_rejections t join ${deadLetters} d on ${same}
      cross join lateral (select concat_ws(', ',
        case when sha256(d.key) is distinct from t.key_hash then 'key' end,
        case when sha256(d.value) is distinct from t.value_hash then 'value' end,
        case when sha256(convert_to(d.headers::text, 'UTF8')) <> t.headers_hash then 'headers' end,
        case when d.reason <> t.reason then 'reason' end) as parts) a
    where a.parts <> ''`;
  return [
    {
      name: 'missing dead letters',
      claim: 'every refused message of the topic is in dead_letters',
      count: `select (select count(*) from recounted_rejections) as expected, (select count(*) from ${missing}) as differences`,
      examples: `select format('Offset %s of partition %s was refused (%s) and is not in dead_letters.', t."offset",
        t.partition, t.reason) as example from ${missing}`,
    },
    {
      name: 'foreign dead letters',
      claim: 'every dead letter is a refused message of the topic',
      count: `select (select count(*) from ${deadLetters} d join recounted_ranges r on d.kafka_partition = r.partition
          and d.kafka_offset >= r.from_offset and d.kafka_offset < r.to_offset) as expected,
        (select count(*) from ${foreign}) as differences`,
      examples: `select format('Dead letter %s says it is offset %s of partition %s, where the topic has no refused message.',
        d.id, d.kafka_offset, d.kafka_partition) as example from ${foreign}`,
    },
    {
      name: 'doubled dead letters',
      claim: 'no offset is in dead_letters twice',
      count: `select 0 as expected, coalesce(sum(times - 1), 0) as differences from (${doubled}) d`,
      examples: `select format('Offset %s of partition %s is in dead_letters %s times.', kafka_offset, kafka_partition,
        times) as example from (${doubled}) d`,
    },
    {
      name: 'altered dead letters',
      claim: 'a dead letter has the key, value, headers and reason of its message',
      count: `select (select count(*) from recounted_rejections t join ${deadLetters} d on ${same}) as expected,
        (select count(*) from ${altered}) as differences`,
      examples: `select format('Dead letter %s (partition %s, offset %s) differs from its message in: %s.', d.id,
        d.kafka_partition, d.kafka_offset, a.parts) as example from ${altered}`,
    },
  ];
}

/** Runs every comparison of the recounted ranges. `onCheck` hears of each that begins. */
export async function compareIdentities(
  client: pg.Client,
  schema: string,
  onCheck: (name: string) => void,
): Promise<Check[]> {
  const tables = quoteSchema(schema);
  const checks: Check[] = [];
  const comparisons = [...eventComparisons(`${tables}.events`), ...deadLetterComparisons(`${tables}.dead_letters`)];
  for (const { name, claim, count, examples } of comparisons) {
    onCheck(name);
    const { rows } = await client.query<{ expected: string; differences: string }>(count);
    const expected = Number(rows[0]?.expected ?? 0);
    const differences = Number(rows[0]?.differences ?? 0);
    const shown =
      differences === 0 ? [] : (await client.query<{ example: string }>(`${examples} limit ${MAX_EXAMPLES}`)).rows;
    const found = name.startsWith('doubled') ? differences : expected - differences;
    checks.push({ name, claim, expected, found, differences, examples: shown.map(({ example }) => example) });
  }
  return checks;
}

/**
 * The counts that only the topic can confirm, for the present runs that were recounted from their first offset on: skipped =
 * offsets that held no message, duplicate = valid messages - recorded. A letter that is valid by newer rules and was recovered
 * since may have been refused in this run or before it: so many duplicates less are right too.
 */
export async function compareTopicCounts(
  client: pg.Client,
  schema: string,
  runs: readonly PartitionRun[],
): Promise<Check[]> {
  const present = runs.filter(({ ended }) => ended === null);
  const rows = await recountPresent(client, schema, present);
  const whole = rows.flatMap((row) => {
    const run = present.find(({ partition }) => partition === row.partition);
    return run ? [{ run, row }] : [];
  });
  return [
    comparePartitions(
      'duplicates',
      'a partition counted as many duplicates as the topic has valid messages beyond the recorded ones',
      whole.map(({ run: { partition, run: of, counts }, row }) => {
        // Of the events in the range of a later run, nothing says which of them it recorded itself.
        const most = Number(row.valid) - (of === 1 ? Number(row.events) : counts.recorded);
        const expected = Math.max(most - Number(row.recovered), Math.min(most, counts.duplicate));
        return { partition, expected, found: counts.duplicate };
      }),
    ),
    comparePartitions(
      'skipped',
      'a partition skipped as many offsets as hold no message',
      whole.map(({ run: { partition, firstOffset, nextOffset, counts }, row }) => ({
        partition,
        expected: nextOffset - firstOffset - Number(row.messages),
        found: counts.skipped,
      })),
    ),
  ];
}

type PresentRow = { partition: number; messages: string; valid: string; recovered: string; events: string };

/** What the topic holds of each present run that was recounted as a whole. */
async function recountPresent(
  client: pg.Client,
  schema: string,
  present: readonly PartitionRun[],
): Promise<PresentRow[]> {
  const inRun = `t.partition = p.partition and t."offset" >= p.from_offset and t."offset" < p.to_offset`;
  const { rows } = await client.query<PresentRow>(
    `with present as (select * from unnest($1::int[], $2::bigint[], $3::bigint[]) as p (partition, from_offset, to_offset)),
     valid as (select p.partition, count(*) as n from present p join recounted_events t on ${inRun} group by 1),
     refused as (select p.partition, count(*) as n from present p join recounted_rejections t on ${inRun} group by 1),
     events as (
       select p.partition, count(*) as n
         from present p join ${quoteSchema(schema)}.events e
           on e.kafka_partition = p.partition and e.kafka_offset >= p.from_offset and e.kafka_offset < p.to_offset
        group by 1
     ),
     recovered as (
       select p.partition, count(*) as n
         from ${quoteSchema(schema)}.dead_letters d
         join recounted_events t on t.partition = d.kafka_partition and t."offset" = d.kafka_offset
         join present p on ${inRun}
        where d.status = 'recovered' group by 1
     )
     select p.partition, coalesce(v.n, 0) as valid, coalesce(f.n, 0) as recovered, coalesce(e.n, 0) as events,
            coalesce(v.n, 0) + coalesce(r.n, 0) as messages
       from present p join recounted_ranges w
         on w.partition = p.partition and w.from_offset <= p.from_offset and w.to_offset >= p.to_offset
       left join valid v on v.partition = p.partition
       left join refused r on r.partition = p.partition
       left join recovered f on f.partition = p.partition
       left join events e on e.partition = p.partition
      order by p.partition`,
    [
      present.map(({ partition }) => partition),
      present.map(({ firstOffset }) => firstOffset),
      present.map(({ nextOffset }) => nextOffset),
    ],
  );
  return rows;
}

/** Rows of messages that the log no longer holds: they lie before a recounted range, within what the partition read. */
export async function countBeyondRecount(client: pg.Client, schema: string): Promise<number> {
  const tables = quoteSchema(schema);
  const before = (table: string): string =>
    `(select count(*) from ${tables}.${table} e join recounted_ranges r on e.kafka_partition = r.partition and e.kafka_offset < r.from_offset)`;
  const { rows } = await client.query<{ beyond: string }>(
    `select ${before('events')} + ${before('dead_letters')} as beyond`,
  );
  return Number(rows[0]?.beyond ?? 0);
}

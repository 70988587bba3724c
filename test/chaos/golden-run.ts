// The golden run: the same messages without faults, once ingested anew into tables of its own, once recounted in memory.
import { createMessageMaker } from '../../generator/produced-message.ts';
import type { GeneratorSpec } from '../../generator/generator-spec.ts';
import type { Segment } from '../../generator/pace.ts';
import { AGGREGATES } from '../../pipeline/aggregates.ts';
import { FUNNEL, SESSIONS, sessionRulesOf } from '../../pipeline/session.ts';
import { must } from '../../pipeline/ensure.ts';
import { migrate } from '../../postgres/migrate.ts';
import type { Queryable } from '../../postgres/pool.ts';
import { lastWindowEnd } from '../../postgres/windows.ts';
import { handDrivenPipeline } from '../support/hand-driven-pipeline.ts';
import { differences, recount } from '../support/recount.ts';
import { readResults } from '../support/result-recount.ts';
import type { ChaosWorld } from './chaos-world.ts';

/** `missing`: in the golden run only; `surplus`: in the chaos run only. A row that differs is one of each. */
type TableDifference = {
  readonly table: string;
  readonly rows: number;
  readonly missing: number;
  readonly surplus: number;
};

export type GoldenComparison = {
  readonly events: number;
  /** Distinct valid events that the seed alone says there are. */
  readonly eventsOfSeed: number;
  /** Events that the golden run holds and the chaos run does not, and those that it holds more than once or from nowhere. */
  readonly missing: number;
  readonly doubled: number;
  readonly tables: readonly TableDifference[];
  /** Sentences about result rows that are not what the seed says, at most ten a table. */
  readonly notOfSeed: readonly string[];
};

/** What the generator sent: the messages `[0, count)`, of which each belongs to the last segment that begins at or before it. */
export type Produced = { readonly segments: readonly Segment[]; readonly count: number };

/** Columns that say when and how something came, which a crash may change. */
const CIRCUMSTANCES = [
  'revision',
  'closed_at',
  'recorded_at',
  'created_at',
  'published_at',
  'id',
  'check_at',
  'kafka_partition',
  'kafka_offset',
];

/** Ingests the topic once more, in peace, and compares everything that must not depend on faults. */
export async function compareWithGolden(world: ChaosWorld, produced: Produced): Promise<GoldenComparison> {
  const { pool, spec, stack } = world;
  const { url } = stack.addresses.postgres;
  await migrate({ url, schema: 'golden' });
  const golden = await handDrivenPipeline(
    { url, schema: 'golden', pool },
    { brokers: stack.addresses.kafka.brokers, topic: spec.topic, rules: sessionRulesOf(spec) },
  );
  await golden.ingest();
  await golden.close(must(await lastWindowEnd(pool, golden.spec), 'an event in the golden run'));
  const tables: TableDifference[] = [];
  for (const table of [
    'events',
    'dead_letters',
    ...AGGREGATES.map(({ name }) => name),
    SESSIONS,
    'open_sessions',
    FUNNEL,
  ]) {
    tables.push(await compareTable(pool, table));
  }
  const { rows } = await pool.query<{ events: number; missing: number; doubled: number }>(
    `select (select count(*) from chaos.events)::int as events,
       (select count(*) from (select event_id from golden.events except all select event_id from chaos.events) as lost)::int as missing,
       (select count(*) from (select event_id from chaos.events except all select event_id from golden.events) as more)::int as doubled`,
  );
  const ofSeed = await compareWithSeed(world, produced);
  return { ...must(rows[0], 'the comparison'), tables, ...ofSeed };
}

async function compareTable(db: Queryable, table: string): Promise<TableDifference> {
  // The message itself says where it came from; copies of an event may lie in several places of the topic.
  const left = table === 'dead_letters' ? CIRCUMSTANCES.slice(0, -2) : [...CIRCUMSTANCES, 'kafka_timestamp'];
  const { rows: columns } = await db.query<{ name: string }>(
    `select quote_ident(column_name) || case when data_type in ('json', 'jsonb') then '::text' else '' end as name
     from information_schema.columns where table_schema = 'chaos' and table_name = $1 and column_name <> all($2)`,
    [table, left],
  );
  const list = columns.map(({ name }) => name).join(', ');
  const { rows } = await db.query<Omit<TableDifference, 'table'>>(
    `select (select count(*) from golden.${table})::int as rows,
       (select count(*) from (select ${list} from golden.${table} except all select ${list} from chaos.${table}) as lost)::int as missing,
       (select count(*) from (select ${list} from chaos.${table} except all select ${list} from golden.${table}) as more)::int as surplus`,
  );
  return { table, ...must(rows[0], 'the comparison') };
}

async function compareWithSeed(
  { pool, spec, generatorSpec }: ChaosWorld,
  produced: Produced,
): Promise<Pick<GoldenComparison, 'eventsOfSeed' | 'notOfSeed'>> {
  const expected = recount(messagesOf(generatorSpec, produced));
  const found = await readResults(pool, spec.schema);
  const notOfSeed = Object.entries(expected.tables).flatMap(([table, rows]) =>
    differences(rows, found[table] ?? []).map((sentence) => `${table}: ${sentence}`),
  );
  return { eventsOfSeed: expected.events, notOfSeed };
}

function* messagesOf(
  spec: GeneratorSpec,
  { segments, count }: Produced,
): Generator<{ value: Buffer; timestampMs: number }> {
  const maker = createMessageMaker(spec);
  for (const [place, segment] of segments.entries()) {
    const endIndex = segments[place + 1]?.fromIndex ?? count;
    for (let index = segment.fromIndex; index < endIndex; index += 1) yield maker.message(segment, index);
  }
}

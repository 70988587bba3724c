-- Repair: what becomes of dead letters, the runs of a partition's counts, and all revisions of the result tables.
--
-- Locks, on a schema in use: a batch takes checkpoints first and dead_letters later, and so does this file; the other way
-- round the two would wait for each other. From here to the end batches wait (their leases go on by themselves), which is the
-- time to read dead_letters once for each index below, without keys and values: about 3 seconds for a million letters.
-- Readers wait only in the second half.
lock table @schema@.checkpoints in exclusive mode;

-- One letter a message, however often the message is read. The time is in the key because a log that was lost and begun
-- anew gives its offsets to other messages, which must not pass for those of before.
create unique index dead_letters_place on @schema@.dead_letters (kafka_partition, kafka_offset, kafka_timestamp);
create index dead_letters_by_status on @schema@.dead_letters (status, id);
create index dead_letters_by_reason on @schema@.dead_letters (reason, id);
create index dead_letters_by_time on @schema@.dead_letters (created_at);
create index dead_letters_by_parent on @schema@.dead_letters (parent) where parent is not null;

-- From here on readers wait too: 0.6 of those 3 seconds.
-- run: grows when the partition is rewound; the counts are those of the present run. rejected_again: of the rejected ones,
-- those that were dead letters already; so rejected - rejected_again, over all runs, is the number of letters.
alter table @schema@.checkpoints
  add column run int not null default 1,
  add column rejected_again bigint not null default 0;

-- The runs that have ended, as their checkpoint was then. Conservation holds in each by itself.
create table @schema@.checkpoint_runs (
  topic text not null,
  partition int not null,
  run int not null,
  first_offset bigint not null,
  next_offset bigint not null,
  recorded bigint not null,
  duplicate bigint not null,
  late bigint not null,
  rejected bigint not null,
  rejected_again bigint not null,
  skipped bigint not null,
  why text not null,
  ended_at timestamptz not null default now(),
  primary key (topic, partition, run)
);

-- status: open -> sent (a replay of it is under way) -> recovered (it, or a replay of it, became the event event_id at
-- event_at), or replaced (the replay was refused too: the letter whose parent this is stands for it). parked: refused five
-- times. discarded: by somebody, for the reason in note, or as the second copy of one replay. closed_at: since when it is
-- recovered, replaced or discarded. replay: the replay that sent it last, at sent_at. published_at: when it was written to
-- the topic of dead letters. The check need not look at older rows: nothing has changed the status of one so far.
alter table @schema@.dead_letters
  add column closed_at timestamptz,
  add column note text,
  add column event_id uuid,
  add column event_at timestamptz,
  add column replay text,
  add column sent_at timestamptz,
  add column published_at timestamptz,
  add constraint dead_letters_status
    check (status in ('open', 'sent', 'recovered', 'replaced', 'parked', 'discarded')) not valid;
drop index @schema@.dead_letters_kafka_partition_kafka_offset_idx;
create index dead_letters_unpublished on @schema@.dead_letters (id) where published_at is null;
create index dead_letters_by_replay on @schema@.dead_letters (replay, id) where replay is not null;

-- A gap belongs to the run that met it.
alter table @schema@.gaps
  add column run int not null default 1,
  drop constraint gaps_pkey,
  add primary key (topic, partition, run, from_offset);

-- Each result table with the rows of earlier revisions, which amendments keep.
create view @schema@.event_counts_history as
  select r.*, true as is_current from @schema@.event_counts r
  union all
  select r.*, false from @schema@.amendments a
    cross join lateral jsonb_populate_record(null::@schema@.event_counts, a.before) r
  where a.aggregate = 'event_counts' and a.before is not null;

create view @schema@.user_activity_history as
  select r.*, true as is_current from @schema@.user_activity r
  union all
  select r.*, false from @schema@.amendments a
    cross join lateral jsonb_populate_record(null::@schema@.user_activity, a.before) r
  where a.aggregate = 'user_activity' and a.before is not null;

create view @schema@.purchase_metrics_history as
  select r.*, true as is_current from @schema@.purchase_metrics r
  union all
  select r.*, false from @schema@.amendments a
    cross join lateral jsonb_populate_record(null::@schema@.purchase_metrics, a.before) r
  where a.aggregate = 'purchase_metrics' and a.before is not null;

create view @schema@.session_metrics_history as
  select r.*, true as is_current from @schema@.session_metrics r
  union all
  select r.*, false from @schema@.amendments a
    cross join lateral jsonb_populate_record(null::@schema@.session_metrics, a.before) r
  where a.aggregate = 'session_metrics' and a.before is not null;

create view @schema@.device_stats_history as
  select r.*, true as is_current from @schema@.device_stats r
  union all
  select r.*, false from @schema@.amendments a
    cross join lateral jsonb_populate_record(null::@schema@.device_stats, a.before) r
  where a.aggregate = 'device_stats' and a.before is not null;

-- Events, dead letters, late events and the checkpoints they commit with. @schema@ is replaced by the quoted schema name.

-- One row: the day before which all events share one partition, so that hostile dates cannot make thousands of tables.
create table @schema@.event_days (
  only_row boolean primary key default true check (only_row),
  first_day date not null
);
insert into @schema@.event_days (first_day) values ((now() at time zone 'UTC')::date - 400);

-- The raw table is the state: open windows are its rows. Time first in the key: one index serves uniqueness, window scans
-- and insert locality.
create table @schema@.events (
  event_id uuid not null,
  occurred_at timestamptz not null,
  event_type text not null,
  user_id text not null,
  device text not null,
  location text not null,
  session_id text not null,
  schema_version int not null,
  login_method text,
  success boolean,
  page text,
  referrer text,
  duration_seconds int,
  item_id text,
  category text,
  position int,
  order_id text,
  items text[],
  quantities int[],
  total_amount numeric(12, 2),
  currency text,
  payment_method text,
  quantity int,
  price numeric(12, 2),
  search_query text,
  results_count int,
  clicked_position int,
  extra jsonb,
  kafka_partition int not null,
  kafka_offset bigint not null,
  kafka_timestamp timestamptz not null,
  primary key (occurred_at, event_id)
) partition by range (occurred_at);

do $$
begin
  execute format(
    'create table @schema@.events_before partition of @schema@.events for values from (minvalue) to (%L)',
    (select first_day from @schema@.event_days)::timestamp at time zone 'UTC'
  );
end
$$;

-- Makes the partitions of these UTC days, where missing. A day is created apart and then attached: attaching locks the
-- parent less than "create ... partition of", so ingestion into other days goes on meanwhile.
create function @schema@.ensure_event_days(days date[]) returns void language plpgsql as $$
declare
  day date;
  name text;
begin
  perform pg_advisory_xact_lock(hashtextextended('@schema@/event-days', 0));
  foreach day in array days loop
    name := 'events_' || to_char(day, 'YYYYMMDD');
    continue when day < (select first_day from @schema@.event_days);
    continue when to_regclass('@schema@.' || name) is not null;
    execute format('create table @schema@.%I (like @schema@.events including defaults including indexes)', name);
    execute format(
      'alter table @schema@.events attach partition @schema@.%I for values from (%L) to (%L)',
      name, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC'
    );
  end loop;
end
$$;

create table @schema@.dead_letters (
  id bigint generated always as identity primary key,
  kafka_partition int not null,
  kafka_offset bigint not null,
  kafka_timestamp timestamptz not null,
  key bytea,
  value bytea,
  -- Array of {"name", "value"}; value is base64 or null. json, not jsonb: any name survives, and so do repeated ones.
  headers json not null,
  reason text not null,
  field text,
  detail text not null,
  status text not null default 'open',
  attempt int not null default 1,
  parent bigint references @schema@.dead_letters (id),
  created_at timestamptz not null default now()
);
create index on @schema@.dead_letters (kafka_partition, kafka_offset);

-- Events whose pane was already closed when they were committed. applied_at: when the windows over them took them in.
create table @schema@.late_events (
  event_id uuid not null,
  occurred_at timestamptz not null,
  kafka_partition int not null,
  kafka_offset bigint not null,
  closed_through timestamptz not null,
  beyond_horizon boolean not null,
  recorded_at timestamptz not null default now(),
  applied_at timestamptz,
  primary key (occurred_at, event_id)
);
create index late_events_waiting on @schema@.late_events (occurred_at) where applied_at is null and not beyond_horizon;
create index late_events_left_out on @schema@.late_events (occurred_at) where beyond_horizon;

-- next_offset - first_offset = recorded + duplicate + rejected + skipped, always. committed_at: this server's clock.
create table @schema@.checkpoints (
  topic text not null,
  partition int not null,
  first_offset bigint not null,
  next_offset bigint not null,
  epoch bigint not null default 0,
  watermark timestamptz,
  recorded bigint not null default 0,
  duplicate bigint not null default 0,
  late bigint not null default 0,
  rejected bigint not null default 0,
  skipped bigint not null default 0,
  committed_at timestamptz not null default now(),
  primary key (topic, partition)
) with (fillfactor = 50);

-- Offsets that the log no longer holds and that somebody accepted to lose (guarantee 8).
create table @schema@.gaps (
  topic text not null,
  partition int not null,
  from_offset bigint not null,
  to_offset bigint not null,
  accepted_at timestamptz not null default now(),
  primary key (topic, partition, from_offset)
);

-- closed_through: every event before it that commits from now on is late. written_through: panes and windows up to here
-- are in the result tables; it follows closed_through.
create table @schema@.closed_through (
  topic text primary key,
  closed_through timestamptz not null default '-infinity',
  written_through timestamptz not null default '-infinity',
  low_watermark timestamptz not null default '-infinity'
);

-- First statement of every micro-batch's transaction: fence, clock and progress in one. Raises WR001 when the caller no
-- longer owns the partition or is not at from_offset, WR002 when an event it has not marked late turned out to be late.
-- p_min_on_time: earliest event that is not marked late; p_watermark: what the batch's events allow; p_watermark_lead: how
-- far the watermark may run ahead of this server's clock (negative: it stays behind).
create function @schema@.advance_checkpoint(
  p_topic text, p_partition int, p_from bigint, p_to bigint, p_epoch bigint,
  p_recorded bigint, p_duplicate bigint, p_late bigint, p_rejected bigint, p_skipped bigint,
  p_watermark timestamptz, p_watermark_lead interval, p_min_on_time timestamptz
) returns void language plpgsql as $$
declare
  closed timestamptz;
begin
  -- Shared: batches do not wait for each other, only for a closer that is moving closed_through (milliseconds).
  perform pg_advisory_xact_lock_shared(hashtextextended('@schema@/clock/' || p_topic, 0));
  update @schema@.checkpoints
     set next_offset = p_to,
         recorded = recorded + p_recorded,
         duplicate = duplicate + p_duplicate,
         late = late + p_late,
         rejected = rejected + p_rejected,
         skipped = skipped + p_skipped,
         -- least() passes over nulls: without the case a batch that holds no event would take the clock for its watermark.
         watermark = greatest(watermark, case when p_watermark is not null
           then least(p_watermark, clock_timestamp() + p_watermark_lead) end),
         committed_at = clock_timestamp()
   where topic = p_topic and partition = p_partition and next_offset = p_from and epoch = p_epoch;
  if not found then
    raise exception 'fenced: partition % of % is not at offset % in epoch %', p_partition, p_topic, p_from, p_epoch
      using errcode = 'WR001';
  end if;
  select closed_through into closed from @schema@.closed_through where topic = p_topic;
  if p_min_on_time < closed then
    raise exception 'closed meanwhile: an event at % is older than closed_through %', p_min_on_time, closed
      using errcode = 'WR002';
  end if;
end
$$;

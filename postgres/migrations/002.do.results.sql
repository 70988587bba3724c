-- Panes, windows and the result tables of the declared aggregates (pipeline/aggregates.ts; a test holds the two together).

-- One minute of events, rolled up so far that exact distinct counts over several panes stay exact. Text here and in the
-- result tables compares by code point: counting distinct values is faster so, and no server's locale changes a result.
create table @schema@.pane_facts (
  pane timestamptz not null,
  user_id text collate "C" not null,
  session_id text collate "C" not null,
  event_type text collate "C" not null,
  device text collate "C" not null,
  location text collate "C" not null,
  currency text collate "C",
  events int not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  revenue numeric(30, 2),
  min_amount numeric(12, 2),
  max_amount numeric(12, 2)
);
create index on @schema@.pane_facts (pane);

-- One row a window and aggregate that holds events. revision 1: the result at its close. A window that was empty when it
-- closed has no row; its first late event makes the row with revision 2.
create table @schema@.windows (
  aggregate text not null,
  window_start timestamptz not null,
  window_end timestamptz not null,
  revision int not null,
  events bigint not null,
  closed_at timestamptz not null default now(),
  primary key (aggregate, window_start)
);
create index on @schema@.windows (window_end);

-- What a late event changed in a closed window: the row before (null: it is new) and after (null: it is gone).
create table @schema@.amendments (
  id bigint generated always as identity primary key,
  aggregate text not null,
  window_start timestamptz not null,
  group_key jsonb not null,
  revision int not null,
  before jsonb,
  after jsonb,
  cause text not null,
  amended_at timestamptz not null default now()
);
create index on @schema@.amendments (aggregate, window_start);

create table @schema@.event_counts (
  window_start timestamptz not null,
  window_end timestamptz not null,
  event_type text collate "C" not null,
  event_count bigint not null,
  unique_users bigint not null,
  revision int not null,
  closed_at timestamptz not null,
  primary key (window_start, event_type)
);

create table @schema@.user_activity (
  window_start timestamptz not null,
  window_end timestamptz not null,
  user_id text collate "C" not null,
  event_count bigint not null,
  events_by_type jsonb not null,
  first_event timestamptz not null,
  last_event timestamptz not null,
  revision int not null,
  closed_at timestamptz not null,
  primary key (window_start, user_id)
);

create table @schema@.purchase_metrics (
  window_start timestamptz not null,
  window_end timestamptz not null,
  currency text collate "C" not null,
  total_orders bigint not null,
  total_revenue numeric(30, 2) not null,
  avg_order_value numeric(12, 2) not null,
  max_order_value numeric(12, 2) not null,
  min_order_value numeric(12, 2) not null,
  unique_buyers bigint not null,
  revision int not null,
  closed_at timestamptz not null,
  primary key (window_start, currency)
);

create table @schema@.session_metrics (
  window_start timestamptz not null,
  window_end timestamptz not null,
  session_id text collate "C" not null,
  user_id text collate "C" not null,
  events_in_session bigint not null,
  events_by_type jsonb not null,
  session_start timestamptz not null,
  session_end timestamptz not null,
  session_duration_seconds double precision not null,
  revision int not null,
  closed_at timestamptz not null,
  primary key (window_start, session_id)
);

create table @schema@.device_stats (
  window_start timestamptz not null,
  window_end timestamptz not null,
  device text collate "C" not null,
  location text collate "C" not null,
  event_count bigint not null,
  unique_users bigint not null,
  unique_sessions bigint not null,
  revision int not null,
  closed_at timestamptz not null,
  -- Fits an index row, because messages with a longer device and location together are rejected.
  primary key (window_start, device, location)
);

-- From its commit on, every event before p_boundary that commits is late. Never moves back; returns where it stands.
create function @schema@.move_closed_through(p_topic text, p_boundary timestamptz) returns timestamptz language plpgsql as $$
declare
  closed timestamptz;
begin
  insert into @schema@.closed_through (topic) values (p_topic) on conflict do nothing;
  -- The row before the clock: a closer may hold the row while it writes a pane, and ingestion must not wait for that.
  select closed_through into closed from @schema@.closed_through where topic = p_topic for update;
  if p_boundary <= closed then
    return closed;
  end if;
  -- Exclusive, against the shared lock of advance_checkpoint: every earlier batch has committed, every later one sees this.
  perform pg_advisory_xact_lock(hashtextextended('@schema@/clock/' || p_topic, 0));
  update @schema@.closed_through set closed_through = p_boundary where topic = p_topic;
  return p_boundary;
end
$$;

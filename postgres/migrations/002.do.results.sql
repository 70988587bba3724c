-- Panes, windows and the result tables of the declared aggregates (pipeline/aggregates.ts; a test holds the two together).

-- One minute of events, rolled up so far that exact distinct counts over several panes stay exact.
create table @schema@.pane_facts (
  pane timestamptz not null,
  user_id text not null,
  session_id text not null,
  event_type text not null,
  device text not null,
  location text not null,
  currency text,
  events bigint not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  revenue numeric(18, 2),
  min_amount numeric(12, 2),
  max_amount numeric(12, 2)
);
create index on @schema@.pane_facts (pane);

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
  event_type text not null,
  event_count bigint not null,
  unique_users bigint not null,
  revision int not null,
  closed_at timestamptz not null,
  primary key (window_start, event_type)
);

create table @schema@.user_activity (
  window_start timestamptz not null,
  window_end timestamptz not null,
  user_id text not null,
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
  currency text not null,
  total_orders bigint not null,
  total_revenue numeric(18, 2) not null,
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
  session_id text not null,
  user_id text not null,
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
  device text not null,
  location text not null,
  event_count bigint not null,
  unique_users bigint not null,
  unique_sessions bigint not null,
  revision int not null,
  closed_at timestamptz not null,
  primary key (window_start, device, location)
);

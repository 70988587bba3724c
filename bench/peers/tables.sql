-- What the peers write into: the columns of the events, and the result tables of pipeline/aggregates.ts by the same names.
-- ${ARRAYS} and ${NUMBERS}: how items and quantities are stored, because not every sink can write arrays.
create table raw (
  event_id uuid, event_type text, user_id text, "timestamp" timestamptz, device text, location text, session_id text,
  login_method text, success boolean, page text, referrer text, duration_seconds int,
  item_id text, category text, position int, quantity int, price numeric(12, 2),
  search_query text, results_count int, clicked_position int,
  order_id text, items ${ARRAYS}, quantities ${NUMBERS}, total_amount numeric(12, 2), currency text, payment_method text
);
create table event_counts (
  window_start timestamptz, window_end timestamptz, event_type text, event_count bigint, unique_users bigint,
  primary key (window_start, event_type)
);
create table user_activity (
  window_start timestamptz, window_end timestamptz, user_id text, event_count bigint, events_by_type jsonb,
  first_event timestamptz, last_event timestamptz,
  primary key (window_start, user_id)
);
create table purchase_metrics (
  window_start timestamptz, window_end timestamptz, currency text, total_orders bigint, total_revenue numeric(30, 2),
  avg_order_value numeric(12, 2), max_order_value numeric(12, 2), min_order_value numeric(12, 2), unique_buyers bigint,
  primary key (window_start, currency)
);
create table session_metrics (
  window_start timestamptz, window_end timestamptz, session_id text, user_id text, events_in_session bigint, events_by_type jsonb,
  session_start timestamptz, session_end timestamptz,
  session_duration_seconds double precision generated always as (extract(epoch from session_end - session_start)) stored,
  primary key (window_start, session_id)
);
create table device_stats (
  window_start timestamptz, window_end timestamptz, device text, location text, event_count bigint,
  unique_users bigint, unique_sessions bigint,
  primary key (window_start, device, location)
);

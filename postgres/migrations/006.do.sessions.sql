-- Sessions and funnels: what they are made of, what is open, what closed.

-- Facts by user and minute, which windows, sessions and funnels are made of. (Before, a row for each event type, so that a
-- close wrote and read up to six times as many.) entry_page, first_referrer and exit_page carry their instant in front
-- (postgres/pane-facts.ts), so that the earliest of several is their minimum. steps_at and step_marks, side by side: when
-- something that a funnel asks for was done, and what (a bit for each thing, pipeline/funnel.ts). added_ and
-- bought_: what went into the cart, and what was bought, each side by side.
alter table @schema@.pane_facts rename to facts_by_type;
drop index @schema@.pane_facts_user, @schema@.pane_facts_session;
create table @schema@.pane_facts (
  pane timestamptz not null,
  user_id text collate "C" not null,
  session_id text collate "C" not null,
  device text collate "C" not null,
  location text collate "C" not null,
  events int not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  logins int not null,
  pages int not null,
  clicks int not null,
  orders int not null,
  cart_adds int not null,
  searches int not null,
  revenue numeric(30, 2) not null default 0,
  entry_page text collate "C",
  first_referrer text collate "C",
  exit_page text collate "C",
  steps_at timestamptz[],
  step_marks int[],
  added_items text[],
  added_quantities int[],
  added_values numeric[],
  bought_items text[],
  bought_quantities int[]
);
insert into @schema@.pane_facts
select pane, user_id, session_id, device, location, sum(events), min(first_at), max(last_at),
  coalesce(sum(events) filter (where event_type = 'user_login'), 0), coalesce(sum(events) filter (where event_type = 'page_view'), 0),
  coalesce(sum(events) filter (where event_type = 'item_click'), 0), coalesce(sum(events) filter (where event_type = 'purchase'), 0),
  coalesce(sum(events) filter (where event_type = 'cart_add'), 0), coalesce(sum(events) filter (where event_type = 'search'), 0),
  coalesce(sum(revenue), 0)
from @schema@.facts_by_type group by pane, user_id, session_id, device, location;
-- Late events are added to the facts and rows of their user and session, which are looked up by minute and id. Time first, as
-- in events: what is written together lies together.
create index pane_facts_user on @schema@.pane_facts (pane, user_id);
create index pane_facts_session on @schema@.pane_facts (pane, session_id);

-- What a user bought in a minute, by currency.
create table @schema@.purchase_facts (
  pane timestamptz not null,
  user_id text collate "C" not null,
  currency text collate "C" not null,
  events int not null,
  revenue numeric(30, 2) not null,
  min_amount numeric(12, 2) not null,
  max_amount numeric(12, 2) not null,
  primary key (pane, user_id, currency)
);
insert into @schema@.purchase_facts
select pane, user_id, currency, sum(events), sum(revenue), min(min_amount), max(max_amount)
from @schema@.facts_by_type where event_type = 'purchase' group by pane, user_id, currency;
drop table @schema@.facts_by_type;

-- One row a user whose session is open. active_since: start of the unbroken activity that a session of the greatest length
-- was cut from; else session_start. cut_at: the minute from which on what the user does is another session, however soon it
-- comes. check_at: when to look whether the session has ended, never later than it can; it stays while the user goes on, so
-- that a row's usual change touches no index. revision: the greatest that a closed session had which this one took over.
create table @schema@.open_sessions (
  user_id text collate "C" primary key,
  active_since timestamptz not null,
  session_start timestamptz not null,
  last_at timestamptz not null,
  cut_at timestamptz not null,
  check_at timestamptz not null,
  revision int not null default 0
) with (fillfactor = 70);
create index open_sessions_check on @schema@.open_sessions (check_at);
create index open_sessions_start on @schema@.open_sessions (session_start);

-- The result table of sessions. cut: the user went on, and the session ended because it had the greatest length.
-- funnels: {funnel: [when each step was reached, in microseconds since 1970]} of those entered.
create table @schema@.sessions (
  user_id text collate "C" not null,
  session_start timestamptz not null,
  session_end timestamptz not null,
  duration_seconds double precision not null,
  events bigint not null,
  pages bigint not null,
  clicks bigint not null,
  searches bigint not null,
  cart_adds bigint not null,
  orders bigint not null,
  revenue numeric(30, 2) not null,
  cart_left numeric(30, 2) not null,
  device text collate "C" not null,
  location text collate "C" not null,
  entry_page text collate "C",
  exit_page text collate "C",
  first_referrer text collate "C",
  converted boolean not null,
  bounced boolean not null,
  cut boolean not null,
  active_since timestamptz not null,
  funnels jsonb not null,
  revision int not null,
  closed_at timestamptz not null,
  primary key (user_id, session_start)
);
create index sessions_start on @schema@.sessions (session_start);

-- The windows of the funnels whose rows are to be made or made again, as soon as every session that started there has closed.
create table @schema@.pending_funnels (
  window_start timestamptz primary key
);

-- The result table of funnels, one row a step. sessions: those that started in the window; reached: those that came as far
-- as this step. Times are from the step before.
create table @schema@.funnel (
  window_start timestamptz not null,
  window_end timestamptz not null,
  funnel text collate "C" not null,
  device text collate "C" not null,
  location text collate "C" not null,
  step int not null,
  step_name text not null,
  sessions bigint not null,
  reached bigint not null,
  conversion numeric(7, 4),
  overall_conversion numeric(7, 4),
  drop_off bigint not null,
  median_seconds double precision,
  p90_seconds double precision,
  revenue numeric(30, 2) not null,
  revision int not null,
  closed_at timestamptz not null,
  primary key (window_start, funnel, device, location, step)
);

-- The rules by which the sessions up to written_through were made; null before the first close.
alter table @schema@.closed_through add column session_gap interval, add column session_max interval;

-- Of a session that is gone because a late event made it part of another: when that one started.
alter table @schema@.amendments add column superseded_by timestamptz;

create view @schema@.sessions_history as
  select r.*, true as is_current, null::timestamptz as superseded_by from @schema@.sessions r
  union all
  select r.*, false, a.superseded_by from @schema@.amendments a
    cross join lateral jsonb_populate_record(null::@schema@.sessions, a.before) r
  where a.aggregate = 'sessions' and a.before is not null;

create view @schema@.funnel_history as
  select r.*, true as is_current from @schema@.funnel r
  union all
  select r.*, false from @schema@.amendments a
    cross join lateral jsonb_populate_record(null::@schema@.funnel, a.before) r
  where a.aggregate = 'funnel' and a.before is not null;

-- Joins the arrays of several rows; null is nothing.
create aggregate @schema@.joined(anycompatiblearray) (sfunc = array_cat, stype = anycompatiblearray);

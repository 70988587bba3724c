-- What `weir verify` found, one row a run, so that an alert and a person can tell when it last agreed. Times are PostgreSQL's.
create table @schema@.verifications (
  id bigint generated always as identity primary key,
  topic text not null,
  started_at timestamptz not null,
  finished_at timestamptz not null,
  -- null: the run could not find out, and problem says why.
  clean boolean,
  differences bigint,
  -- What ran: [{name, expected, found, differences}].
  checks jsonb not null,
  -- The version of Weir that verified.
  version text not null,
  problem text,
  check (finished_at >= started_at),
  check ((clean is null) = (differences is null) and (clean is null) = (problem is not null)),
  check (clean = (differences = 0))
);
create index verifications_newest on @schema@.verifications (topic, finished_at desc);

-- What a worker needs of data definition, so that it may do nothing else of it: tables for the days and years of events, made
-- with the rights of the tables' owner. Roles and grants are brought up to date by every migration (postgres/rights.ts).
--
-- search_path is fixed and every name of ours qualified: nothing that a caller puts into a schema of its own is found first.

-- Makes the partitions of these UTC days, where missing. A day is created apart and then attached: attaching locks the
-- parent less than "create ... partition of", so ingestion into other days goes on meanwhile.
create or replace function @schema@.ensure_event_days(days date[]) returns void language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
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
revoke execute on function @schema@.ensure_event_days(date[]) from public;

-- The table of one far year (events_2031) or of a far century (events_2100s), where missing.
create function @schema@.ensure_event_years(from_year int, until_year int) returns void language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
declare
  name text := case
    when until_year = from_year + 1 then 'events_' || from_year
    when until_year = from_year + 100 and from_year % 100 = 0 then 'events_' || from_year || 's' end;
begin
  if name is null or from_year not between 1970 and 9900 then
    raise exception 'events have tables for a year or a whole century, not for % to %', from_year, until_year
      using errcode = '22023';
  end if;
  perform pg_advisory_xact_lock(hashtextextended('@schema@/event-days', 0));
  if to_regclass('@schema@.' || name) is null then
    execute format('create table @schema@.%I (like @schema@.events including defaults including indexes)', name);
    execute format(
      'alter table @schema@.events attach partition @schema@.%I for values from (%L) to (%L)',
      name, from_year || '-01-01 00:00:00+00', until_year || '-01-01 00:00:00+00'
    );
  end if;
end
$$;
revoke execute on function @schema@.ensure_event_years(int, int) from public;

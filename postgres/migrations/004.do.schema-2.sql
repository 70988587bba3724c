-- Version 2 of the event schemas: its new field is a column, and rows that had it as an unknown field get it there.

alter table @schema@.events add column coupon_code text;

-- Fields that moved, or still have to move, from events.extra into a column of their own. promoted: rows that moved, over all
-- runs; kept: rows whose value does not fit the column and stays in extra, of the last run. finished_at null: `weir migrate`
-- runs it (again) from the start.
create table @schema@.promotions (
  field text not null,
  column_name text not null,
  cast_to text not null,
  event_types text[],
  promoted bigint not null default 0,
  kept bigint not null default 0,
  finished_at timestamptz,
  primary key (field, column_name)
);

-- Moves a field of events.extra into a column that an earlier migration has added: the next promotion is that column and one
-- row in promotions, or one call of this outside a transaction. Commits after every p_blocks pages of a day, so that no row is
-- locked for longer than that and `events` never; what is interrupted goes on by calling it again.
-- p_cast: the column's type with its limits; a JSON text fits types of text and uuid, a number those of numbers, true and
-- false boolean, and only if the type takes the value unchanged. What does not fit stays in extra and is counted.
-- p_event_types: the types that know the field; in an event of any other type it stays in extra (null: all types do).
create procedure @schema@.promote_extra(
  p_field text, p_column text, p_cast text, p_event_types text[] default null, p_blocks int default 512
) language plpgsql as $$
declare
  category text := (select case when oid = 'uuid'::regtype then 'S' else typcategory::text end
                      from pg_type where oid = to_regtype(p_cast));
  json_type text := case category when 'S' then 'string' when 'N' then 'number' when 'B' then 'boolean' end;
  -- 3.0 is a whole number, as it is for JSON.
  as_text text := case category when 'N' then 'trim_scale((e.extra ->> %1$L)::numeric)::text' else '(e.extra ->> %1$L)' end;
  unchanged text := case category when 'N' then '::numeric = (e.extra ->> %1$L)::numeric' else ' is not null' end;
  template text;
  part oid;
  pages bigint;
  page bigint;
  moved bigint;
  unfit bigint;
begin
  if json_type is null then
    raise exception 'promote_extra cannot cast to %: name a type of text, numbers, boolean or uuid', p_cast;
  end if;
  template :=
    'with fitting as (
       update only %6$s e set %2$I = ' || as_text || '::%3$s, extra = nullif(e.extra - %1$L, ''{}''::jsonb)
        where e.ctid >= $1 and e.ctid < $2 and e.extra ? %1$L and (%4$L::text[] is null or e.event_type = any(%4$L::text[]))
          and e.%2$I is null and case
            when jsonb_typeof(e.extra -> %1$L) is distinct from %5$L then false
            when not pg_input_is_valid(' || as_text || ', %3$L) then false
            else ' || as_text || '::%3$s' || unchanged || ' end
       returning 1
     ), all_of_it as (
       select 1 from only %6$s e
        where e.ctid >= $1 and e.ctid < $2 and e.extra ? %1$L and (%4$L::text[] is null or e.event_type = any(%4$L::text[]))
     )
     select (select count(*) from fitting), (select count(*) from all_of_it) - (select count(*) from fitting)';
  insert into @schema@.promotions as p (field, column_name, cast_to, event_types)
  values (p_field, p_column, p_cast, p_event_types)
  on conflict (field, column_name)
  do update set cast_to = excluded.cast_to, event_types = excluded.event_types, kept = 0, finished_at = null;
  commit;
  foreach part in array array(select inhrelid from pg_inherits where inhparent = '@schema@.events'::regclass order by 1) loop
    -- Rows that move go behind this end and need no second look.
    pages := coalesce(pg_relation_size(part) / current_setting('block_size')::bigint, 0);
    page := 0;
    while page < pages loop
      execute format(template, p_field, p_column, p_cast, p_event_types, json_type, part::regclass) into moved, unfit
        using format('(%s,0)', page)::tid, format('(%s,0)', least(page + p_blocks, pages))::tid;
      update @schema@.promotions set promoted = promoted + moved, kept = kept + unfit
       where field = p_field and column_name = p_column;
      commit;
      page := page + p_blocks;
    end loop;
  end loop;
  update @schema@.promotions set finished_at = clock_timestamp() where field = p_field and column_name = p_column;
  commit;
end
$$;

-- As long as schemas allow a text to be.
insert into @schema@.promotions (field, column_name, cast_to, event_types)
values ('coupon_code', 'coupon_code', 'varchar(512)', '{purchase}');

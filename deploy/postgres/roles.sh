#!/usr/bin/env bash
# Users and databases of the stack, on a PostgreSQL that PGHOST, PGUSER and PGPASSWORD name. Run at every start: users that are
# there get the passwords of now, so that a password is changed by changing .env.
#
# weir_owner migrates, weir_worker ingests and closes, weir_reader reads results; what each may do in Weir's schema is said by
# `weir migrate`. temporal has its own two databases and no way into Weir's.
set -euo pipefail
for name in OWNER_PASSWORD WORKER_PASSWORD READER_PASSWORD TEMPORAL_PASSWORD; do
  if [ -z "${!name:-}" ]; then
    echo "roles.sh: $name is not set; scripts/docker-env.sh makes a .env with all of them." >&2
    exit 1
  fi
done

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname postgres <<'SQL'
\getenv owner_password OWNER_PASSWORD
\getenv worker_password WORKER_PASSWORD
\getenv reader_password READER_PASSWORD
\getenv temporal_password TEMPORAL_PASSWORD

-- A statement with a password in it must not reach the server's log, whatever that logs, and not even when it fails.
set log_statement = 'none';
set log_min_duration_statement = -1;
set log_min_error_statement = 'panic';

select format('create role %I nologin', name)
from unnest(array['weir_owner', 'weir_worker', 'weir_reader', 'temporal']) name
where not exists (select from pg_roles where rolname = name) \gexec

alter role weir_owner login nosuperuser nocreaterole nocreatedb password :'owner_password';
alter role weir_worker login nosuperuser nocreaterole nocreatedb password :'worker_password';
alter role weir_reader login nosuperuser nocreaterole nocreatedb password :'reader_password';
alter role temporal login nosuperuser nocreaterole nocreatedb password :'temporal_password';

select format('create database %I owner %I', name, owner)
from (values ('weir', 'weir_owner'), ('temporal', 'temporal'), ('temporal_visibility', 'temporal')) d (name, owner)
where not exists (select from pg_database where datname = name) \gexec
alter database weir owner to weir_owner;
alter database temporal owner to temporal;
alter database temporal_visibility owner to temporal;

-- By default everybody may connect everywhere.
revoke all on database weir, temporal, temporal_visibility from public;
grant connect, temporary on database weir to weir_worker;
grant connect on database weir to weir_reader;
SQL
echo 'Users and databases are there.'

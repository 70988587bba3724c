#!/bin/sh
# Temporal's tables in its two databases, brought to the version of these tools. SQL_HOST, SQL_PORT, SQL_USER, SQL_PASSWORD and
# SQL_PLUGIN say where. Tables that are newer than the tools are left alone.
set -eu
for database in temporal:temporal temporal_visibility:visibility; do
  export SQL_DATABASE="${database%%:*}"
  temporal-sql-tool setup-schema --version 0.0
  temporal-sql-tool update-schema --schema-name "postgresql/v12/${database##*:}"
done
echo 'Temporal has its tables.'

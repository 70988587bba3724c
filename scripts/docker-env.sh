#!/bin/sh
# Makes .env for docker-compose.yml: a password of its own for each user, readable by you alone. `scripts/docker-env.sh [FILE]`.
# Never overwrites: the databases keep the passwords that they were made with.
set -eu
file=${1:-$(dirname "$0")/../.env}
if [ -e "$file" ]; then
  echo "docker-env.sh: $file exists and stays as it is; remove it first if new passwords are wanted." >&2
  exit 1
fi
secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
# Kafka's ids are 16 bytes in 22 digits of base64, of which the last one stands for two bits only.
cluster_id() { printf 'W%sA' "$(od -An -N10 -tx1 /dev/urandom | tr -d ' \n')"; }

umask 077
# noclobber: of two that run at once, one fails.
set -C
{
  echo '# Made by scripts/docker-env.sh. Whoever reads this file may do everything in the stack.'
  for name in POSTGRES_PASSWORD OWNER_PASSWORD WORKER_PASSWORD READER_PASSWORD TEMPORAL_PASSWORD GRAFANA_PASSWORD; do
    echo "$name=$(secret)"
  done
  echo "KAFKA_CLUSTER_ID=$(cluster_id)"
} >"$file"
echo "$file is made. Grafana's user is admin; its password is GRAFANA_PASSWORD there."

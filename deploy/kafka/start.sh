#!/usr/bin/env bash
# Formats the storage at the first start, then becomes the broker. KAFKA_CLUSTER_ID is the id of the cluster for good.
set -euo pipefail
: "${KAFKA_CLUSTER_ID:?is not set; scripts/docker-env.sh makes a .env with it}"
settings=${KAFKA_SETTINGS:-/etc/weir/server.properties}
bin=${KAFKA_BIN:-/opt/kafka/bin}
"$bin/kafka-storage.sh" format --cluster-id "$KAFKA_CLUSTER_ID" --config "$settings" --ignore-formatted
# For the broker alone: the tools that a health check starts beside it keep their small heap.
export KAFKA_HEAP_OPTS=${BROKER_HEAP_OPTS:--Xms512m -Xmx1g}
exec "$bin/kafka-server-start.sh" "$settings"

#!/bin/sh
# Makes the namespace that the workflows live in, where it is missing. TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE and
# TEMPORAL_RETENTION (how long ended workflows stay) are given.
set -eu
tries=30
until temporal operator cluster health >/dev/null 2>&1; do
  tries=$((tries - 1))
  if [ "$tries" -eq 0 ]; then
    echo "Temporal at $TEMPORAL_ADDRESS does not answer; see the log of the service temporal." >&2
    exit 1
  fi
  sleep 2
done
if temporal operator namespace describe >/dev/null 2>&1; then
  echo "The namespace $TEMPORAL_NAMESPACE is there."
else
  temporal operator namespace create --retention "$TEMPORAL_RETENTION"
fi

#!/bin/sh
# Everything workers need before they start: tables, topics, and the pipeline's workflow. Changes nothing that is there already.
# Runs in Weir's image, with WEIR_POSTGRES_URL of a user who may make tables.
set -eu
node cli/weir.js migrate
exec node cli/weir.js pipeline start --create-topic

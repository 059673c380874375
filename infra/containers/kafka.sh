#!/usr/bin/env bash
# The broker of compose.yaml in the official image: its data folder is formatted once, with the
# users that come before all others. The JVM ends with 143 when it was told to; that is a success.
set -euo pipefail

# Written when a folder has been formatted; asking the tool would take a JVM at every start.
if [ ! -e /var/lib/kafka/data/log/meta.properties ]; then
  /opt/kafka/bin/kafka-storage.sh @/run/secrets/kafka.format
fi

/opt/kafka/bin/kafka-server-start.sh /run/secrets/kafka.properties &
broker=$!
trap 'kill -TERM "$broker"' TERM INT

# `wait` returns early when a signal comes, and then once more when the broker has ended.
code=0
wait "$broker" || code=$?
while kill -0 "$broker" 2>/dev/null; do
  code=0
  wait "$broker" || code=$?
done
[ "$code" -eq 143 ] || exit "$code"

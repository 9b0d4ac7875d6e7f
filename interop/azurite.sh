#!/bin/sh
# The store of the rate limits at Azurite, Microsoft's own emulator of Azure Storage: so that emulator/blob is not the only judge.
# 3.35.0 is the last that runs on Node 20. Its tokens want TLS, so it gets the shared key.
set -eu
command -v npm >/dev/null || { echo "skipped: npm is not installed"; exit 0; }
dir=${XDG_CACHE_HOME:-$HOME/.cache}/goldmint/azurite-3.35.0
[ -x "$dir/node_modules/.bin/azurite-blob" ] || npm install --silent --no-fund --no-audit --prefix "$dir" azurite@3.35.0
log=$(mktemp)
"$dir/node_modules/.bin/azurite-blob" --blobHost 127.0.0.1 --blobPort 0 --disableTelemetry --inMemoryPersistence --skipApiVersionCheck >"$log" 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null || true; rm -f "$log"' EXIT
port=
for _ in $(seq 300); do
  port=$(sed -n 's/.*listens on http:\/\/127.0.0.1:\([0-9]*\).*/\1/p' "$log" | head -n1)
  [ -n "$port" ] && break
  kill -0 $pid 2>/dev/null || break
  sleep 0.1
done
[ -n "$port" ] || { cat "$log"; exit 1; }
cd "$(dirname "$0")/.."
AZURITE_CONTAINER="http://127.0.0.1:$port/devstoreaccount1/ratelimit" go test ./internal/azure -run '^TestRateLimitStoreAtAzurite$' -count 1 -v

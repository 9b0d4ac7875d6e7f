#!/bin/sh
# The JavaScript client of examples/clients, with Microsoft's Service Bus SDK from npm.
set -eu
for program in npm node; do command -v "$program" >/dev/null || { echo "skipped: $program is not installed"; exit 0; }; done
cd "$(dirname "$0")/.."
GOLDMINT_INTEROP=1 go test ./cmd/goldmint -run '^TestJavaScriptClient$' -count 1 -v

#!/bin/sh
# The JavaScript client of examples/clients, with Microsoft's Service Bus SDK from npm.
. "$(dirname "$0")/local.inc"
need npm node
cd "$root"
GOLDMINT_INTEROP=1 go test ./cmd/goldmint -run '^TestJavaScriptClient$' -count 1 -v

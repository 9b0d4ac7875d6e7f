#!/bin/sh
# azure.yaml against azd's own schema, which its first line names: the tests hold an extract of it.
set -eu
cd "$(dirname "$0")/.."
command -v curl >/dev/null || { echo "skipped: curl is not installed"; exit 0; }
url=$(sed -n '1s/.*\$schema=//p' azure.yaml)
schema=$(mktemp)
trap 'rm -f "$schema"' EXIT
curl --silent --show-error --fail --location --max-time 60 --output "$schema" "$url" || { echo "skipped: $url cannot be fetched"; exit 0; }
AZD_SCHEMA=$schema go test ./internal/deploy -run '^TestAzureYAML$' -count 1 -v

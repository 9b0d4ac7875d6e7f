#!/bin/sh
# The tests that Microsoft's Service Bus client has for the real service, run against emulator/servicebus. Prints which pass,
# and why the others do not; fails when that is no longer so. Takes three minutes: some wait for their own timeouts.
set -eu
cd "$(dirname "$0")/.."
module=github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus
go mod download "$module"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp -R "$(go list -m -f '{{.Dir}}' "$module")/." "$dir"
chmod -R u+w "$dir"
AZSERVICEBUS_SUITE=$dir go test ./emulator/servicebus -run '^TestMicrosoftsLiveSuite$' -count 1 -v -timeout 30m

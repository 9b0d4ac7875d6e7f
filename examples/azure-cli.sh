#!/bin/sh
# Azure's own command and Microsoft's Python SDK on the local Azure, both as Debian packages them:
#
#   sudo apt-get install --no-install-recommends azure-cli python3-azure
#   make build && examples/azure-cli.sh
#
# Nothing of yours is touched: az keeps what it knows in a folder that is removed at the end.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
azure=
trap '[ -z "$azure" ] || kill "$azure" 2>/dev/null; rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

"$root/bin/goldmint" local --prepare "$root/examples/requests" --output json >"$scratch/azure.jsonl" &
azure=$!
until [ -s "$scratch/azure.jsonl" ]; do kill -0 "$azure" && sleep 0.1; done
field() { sed -n "1s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$scratch/azure.jsonl"; }

# az asks for a token as an app of App Service does, in the form of 2017; the Python SDK in that of 2019.
export AZURE_CONFIG_DIR="$scratch/az" AZURE_CORE_COLLECT_TELEMETRY=no AZURE_CORE_ONLY_SHOW_ERRORS=yes
REQUESTS_CA_BUNDLE=$(field caFile) RESOURCE_MANAGER=$(field armTLS)
IDENTITY_ENDPOINT=$(field identityEndpoint) IDENTITY_HEADER=$(field identityHeader)
export REQUESTS_CA_BUNDLE RESOURCE_MANAGER IDENTITY_ENDPOINT IDENTITY_HEADER
export APPSETTING_WEBSITE_SITE_NAME=local MSI_ENDPOINT="$IDENTITY_ENDPOINT" MSI_SECRET="$IDENTITY_HEADER"
say() { echo "$ $*"; "$@"; }

# Debian's az 2.45 lacks the newest compute API that it would ask for by itself; the profile names an older one.
say az cloud register --name local --endpoint-resource-manager "$RESOURCE_MANAGER"
az cloud set --name local --profile 2020-09-01-hybrid
say az login --identity --query '[].{subscription:id, name:name}' --output table
say az image create --resource-group golden-images --name from-az --location westus --source myVM \
  --query '{name:name, state:provisioningState, generation:hyperVGeneration}' --output table
say az image update --resource-group golden-images --name from-az --set tags.client=az --query tags --output tsv
say az image list --resource-group golden-images --query '[].name' --output tsv
say az image delete --resource-group golden-images --name from-az
say az resource list --query 'length(@)' --output tsv

cd "$root"
say /usr/bin/python3 examples/images.py

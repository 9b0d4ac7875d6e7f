#!/bin/sh
# GruCloud's own command, unchanged, on the ten examples of its page on images: plan, apply, destroy.
#
# It knows the hosts of public Azure alone. Where a proxy is set it sends every request there whole, and the local Resource
# Manager answers it: for the sign-in and the directory as well.
. "$(dirname "$0")/local.inc"
need npm node
npm_folder grucloud
start_azure
HTTPS_PROXY=$(field arm) REQUESTS=$root/examples/requests
AZURE_SUBSCRIPTION_ID=6b3f8f1e-52d4-4c6c-9d55-0e1f8f6f2a41 AZURE_TENANT_ID=44444444-4444-4444-4444-444444444444
AZURE_CLIENT_ID=9b1f9a3e-7c52-4d0e-8a64-0c7f3a5d2e11 AZURE_CLIENT_SECRET=$IDENTITY_HEADER AZURE_LOCATION=westus
export AZURE_LOCATION HTTPS_PROXY REQUESTS AZURE_SUBSCRIPTION_ID AZURE_TENANT_ID AZURE_CLIENT_ID AZURE_CLIENT_SECRET
# gc shows the lines of a command's output that match the first argument; without one it has not done what it should.
gc() {
  wanted=$1
  shift
  echo "$ gc $*"
  node node_modules/.bin/gc "$@" >"$scratch/out.log" 2>&1 || { cat "$scratch/out.log"; exit 1; }
  sed 's/\x1b\[[0-9;]*m//g' "$scratch/out.log" >"$scratch/plain.log"
  grep -E "$wanted" "$scratch/plain.log" || { cat "$scratch/plain.log"; exit 1; }
}
gc '^10 resources to deploy' plan
gc '^│ name: golden-images::image|^11 resources' apply --force
gc '^No live resources' destroy --force

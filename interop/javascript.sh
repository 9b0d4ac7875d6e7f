#!/bin/sh
# Microsoft's JavaScript SDK: @azure/arm-compute, which signs in with @azure/identity.
. "$(dirname "$0")/local.inc"
need npm node
npm_folder javascript
start_azure
node images.mjs

#!/bin/sh
# Checks infra/ without an Azure subscription: format, validate, terraform test against a mocked provider.
#
#   TERRAFORM             the terraform to run (default: terraform on the PATH, else bin/terraform)
#   AZURERM_PROVIDER_DIR  a folder that holds the azurerm provider, terraform-provider-azurerm or
#                         terraform-provider-azurerm_v5….xz. Then no registry is asked.
#                         Without it, terraform init downloads the provider.
set -eu

say() { printf 'infra-test: %s\n' "$*"; }
fail() { say "$*" >&2; exit 1; }

terraform=${TERRAFORM:-}
if [ -z "$terraform" ]; then
  terraform=$(command -v terraform || command -v "$(dirname "$0")/../bin/terraform") ||
    fail 'terraform 1.11 or later is needed: https://developer.hashicorp.com/terraform/install, or set TERRAFORM to the binary.'
fi
command -v "$terraform" >/dev/null || fail "TERRAFORM=$terraform cannot be run."
case $terraform in
/*) ;;
*/*) terraform=$PWD/$terraform ;;
esac

# A copy, and nothing of the caller's own configuration: no trace stays in the working tree.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$scratch/infra"
(cd "$(dirname "$0")" && tar cf - --exclude .terraform --exclude '*.tfstate*' .) | tar xf - -C "$scratch/infra"
export TF_CLI_CONFIG_FILE="$scratch/terraform.rc" TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1

# The provider as the override wants it: a folder with an executable of the plain name.
find_provider() {
  if [ -x "$1/terraform-provider-azurerm" ]; then
    provider=$(cd "$1" && pwd)
    return
  fi
  for packed in "$1"/terraform-provider-azurerm_v5*.xz; do
    [ -f "$packed" ] || continue
    provider=$scratch/provider
    mkdir "$provider"
    xz -dc "$packed" >"$provider/terraform-provider-azurerm"
    chmod 0755 "$provider/terraform-provider-azurerm"
    return
  done
  fail "AZURERM_PROVIDER_DIR=$1 holds neither terraform-provider-azurerm (executable) nor terraform-provider-azurerm_v5….xz."
}

if [ -n "${AZURERM_PROVIDER_DIR:-}" ]; then
  find_provider "$AZURERM_PROVIDER_DIR"
  printf 'provider_installation {\n  dev_overrides {\n    "hashicorp/azurerm" = "%s"\n  }\n}\n' "$provider" >"$TF_CLI_CONFIG_FILE"
  say "provider from $AZURERM_PROVIDER_DIR"
else
  : >"$TF_CLI_CONFIG_FILE"
  "$terraform" -chdir="$scratch/infra" init -backend=false -input=false -no-color >"$scratch/init.log" 2>&1 || {
    cat "$scratch/init.log" >&2
    fail 'terraform init could not fetch the azurerm provider. Without a network set AZURERM_PROVIDER_DIR to a folder that holds it.'
  }
  say 'provider from terraform init'
fi

cd "$scratch/infra"
"$terraform" fmt -check -diff -recursive . || fail 'run terraform fmt -recursive infra'
say 'fmt: ok'
"$terraform" validate -no-color
"$terraform" test -no-color

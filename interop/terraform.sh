#!/bin/sh
# HashiCorp's azurerm provider, unchanged: apply, a second plan without changes, destroy.
#
#   AZURERM_PROVIDER_DIR  a folder with the provider, as infra/test.sh takes it; without it terraform downloads the provider
. "$(dirname "$0")/local.inc"
need terraform
[ "$(uname)" = Linux ] || skip "the provider takes the CA of SSL_CERT_FILE on Linux alone"
mkdir "$scratch/work"
cp "$root/interop/terraform/main.tf" "$scratch/work/"
export TF_CLI_CONFIG_FILE="$scratch/terraform.rc" TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1
: >"$TF_CLI_CONFIG_FILE"
provider=${AZURERM_PROVIDER_DIR:-}
if [ -n "$provider" ]; then
  packed=$(find "$provider" -name 'terraform-provider-azurerm_v5*.xz' | head -n1)
  if [ ! -x "$provider/terraform-provider-azurerm" ]; then
    [ -n "$packed" ] || { echo "AZURERM_PROVIDER_DIR=$provider holds no azurerm provider"; exit 1; }
    provider=$scratch/provider
    mkdir "$provider"
    xz -dc "$packed" >"$provider/terraform-provider-azurerm"
    chmod 0755 "$provider/terraform-provider-azurerm"
  fi
  printf 'provider_installation {\n  dev_overrides {\n    "hashicorp/azurerm" = "%s"\n  }\n}\n' "$provider" >"$TF_CLI_CONFIG_FILE"
else
  terraform -chdir="$scratch/work" init -input=false -no-color >"$scratch/init.log" 2>&1 || {
    cat "$scratch/init.log"
    skip "terraform could not download the azurerm provider; AZURERM_PROVIDER_DIR may name a folder that holds it"
  }
fi

start_azure
TF_VAR_resource_manager=${RESOURCE_MANAGER#https://}
TF_VAR_identity=${IDENTITY_ENDPOINT%/msi/token}/metadata/identity/oauth2/token
export TF_VAR_resource_manager TF_VAR_identity
step() {
  echo "$ terraform $*"
  terraform -chdir="$scratch/work" "$@" -input=false -no-color >"$scratch/out.log" 2>&1 || { cat "$scratch/out.log"; exit 1; }
  grep -E '^(azurerm_image.*complete|Apply|Destroy|No changes|Plan:)' "$scratch/out.log"
}
step apply -auto-approve
step plan -detailed-exitcode # 2, a failure here, when there is something to change
step destroy -auto-approve

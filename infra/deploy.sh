#!/bin/sh
# Deploys Goldmint, or takes it away again.
#
#   infra/deploy.sh apply ENVIRONMENT     terraform apply, then dist.zip to the function app, then its triggers are synced
#   infra/deploy.sh package ENVIRONMENT   dist.zip and the sync alone: another version of the handler
#   infra/deploy.sh destroy ENVIRONMENT   everything but the images, which are in resource groups of their own
#
# Reads infra/ENVIRONMENT.tfvars and asks before it changes anything. Wants terraform, az (logged in) and, but for destroy,
# dist.zip (make package). State is kept per environment in a Terraform workspace.
set -eu
cd "$(dirname "$0")"

fail() { printf 'deploy: %s\n' "$*" >&2; exit 1; }

action=${1:-} environment=${2:-}
case $action in
apply | package | destroy) ;;
*) fail 'say what and where: infra/deploy.sh apply|package|destroy ENVIRONMENT' ;;
esac
[ -n "$environment" ] || fail "say which environment: infra/deploy.sh $action ENVIRONMENT"
[ -f "$environment.tfvars" ] || fail "infra/$environment.tfvars is missing: docs/deploy.md shows what it holds."
for tool in terraform az; do
  command -v "$tool" >/dev/null || fail "$tool is not installed."
done
ARM_SUBSCRIPTION_ID=${ARM_SUBSCRIPTION_ID:-$(az account show --query id --output tsv)} || fail 'run az login first.'
export ARM_SUBSCRIPTION_ID

terraform init -input=false
terraform workspace select -or-create "$environment"
if [ "$action" = destroy ]; then
  exec terraform destroy -var-file="$environment.tfvars"
fi

[ -f ../dist.zip ] || fail 'dist.zip is missing: run make package.'
if [ "$action" = apply ]; then
  terraform apply -var-file="$environment.tfvars" || fail 'terraform apply stopped, and what it made stays. Azure takes up to ten minutes to believe a role assignment: where an error says that an identity may not do something, run this again. Where maximum_instance_count is refused, set it to 40.'
fi
group=$(terraform output -raw resource_group)
app=$(terraform output -raw function_app)
if [ "$action" = apply ]; then
  ./app.sh clean "$ARM_SUBSCRIPTION_ID" "$group" "$app"
fi
az functionapp deployment source config-zip --subscription "$ARM_SUBSCRIPTION_ID" --resource-group "$group" --name "$app" --src ../dist.zip ||
  fail 'the package was not deployed. Where the app may not write to its storage, the role assignment is still on its way: run this again in ten minutes.'
./app.sh sync "$ARM_SUBSCRIPTION_ID" "$group" "$app"

#!/bin/sh
# What Terraform and a zip deployment leave to do on the function app. infra/deploy.sh and azd's hooks (azure.yaml) call it.
#
#   infra/app.sh alpha                       is azd allowed to deploy a custom handler?
#   infra/app.sh clean SUBSCRIPTION GROUP APP   after each apply: delete the storage settings that the provider writes
#   infra/app.sh sync SUBSCRIPTION GROUP APP    after each deployment: sync the triggers until both functions are listed
set -eu

fail() { printf 'deploy: %s\n' "$*" >&2; exit 1; }

# azd refuses `language: custom` until its user says yes to alpha features.
alpha() {
  case $(azd config get alpha.language.custom 2>/dev/null || true) in
  *on*) ;;
  *) fail 'azd deploys custom handlers as an alpha feature only: run azd config set alpha.language.custom on, then again. Or use infra/deploy.sh.' ;;
  esac
}

# The host takes an empty AzureWebJobsStorage for a connection string, and DEPLOYMENT_STORAGE_CONNECTION_STRING has an empty
# key in it. The provider writes both at every apply (docs/decisions/azurerm.md).
clean() {
  names=$(az functionapp config appsettings list --subscription "$1" --resource-group "$2" --name "$3" --output tsv \
    --query "[?(name=='AzureWebJobsStorage' && value=='') || name=='DEPLOYMENT_STORAGE_CONNECTION_STRING'].name")
  [ -n "$names" ] || return 0
  # shellcheck disable=SC2086 # two names, two arguments
  az functionapp config appsettings delete --subscription "$1" --resource-group "$2" --name "$3" --output none --setting-names $names
  printf 'deploy: deleted the app settings %s\n' "$(echo $names)"
}

# Flex Consumption often knows no trigger after a deployment that succeeded, and then wakes for no message.
sync() {
  for attempt in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ "$attempt" = 1 ] || sleep 15
    az rest --method post --output none \
      --url "/subscriptions/$1/resourceGroups/$2/providers/Microsoft.Web/sites/$3/host/default/sync?api-version=2024-04-01" || continue
    listed=$(az functionapp function list --subscription "$1" --resource-group "$2" --name "$3" --query '[].name' --output tsv) || continue
    missing=
    for function in take-request build-image; do
      printf '%s\n' "$listed" | grep -q "\(^\|/\)$function\$" || missing="$missing $function"
    done
    if [ -z "$missing" ]; then
      printf 'deploy: take-request and build-image are listed\n'
      return
    fi
  done
  fail "after five minutes the function app $3 does not list${missing:- its functions}, so no message wakes it. Role assignments may still be on their way: run this again in ten minutes. If it stays so, read what the host logs as it starts: docs/operations.md, \"Where to look\"."
}

action=${1:-}
case $action in
alpha) alpha ;;
clean | sync)
  [ $# -eq 4 ] && [ -n "$2" ] && [ -n "$3" ] && [ -n "$4" ] || fail "say which app: infra/app.sh $action SUBSCRIPTION GROUP APP"
  command -v az >/dev/null || fail 'az is not installed.'
  "$action" "$2" "$3" "$4"
  ;;
*) fail 'say what: infra/app.sh alpha|clean|sync' ;;
esac

#!/usr/bin/env bash
# A VM is generalized, an image appears. Plain ARM calls with curl against the local Azure; nothing asks Goldmint for an image.
#
#   make demo-vm
set -euo pipefail
cd "$(dirname "$0")/.."

bold='' plain=''
if [[ -t 1 ]]; then bold=$'\033[1m' plain=$'\033[0m'; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; } # of JSON on one line

say '$ goldmint local --vm web-01,goldmint=capture,team=web'
coproc LOCAL { exec bin/goldmint local --vm web-01,goldmint=capture,team=web --output json; }
pid=$LOCAL_PID
trap 'kill "$pid" 2>/dev/null || true' EXIT
read -r ready <&"${LOCAL[0]}"
arm=$(field arm <<<"$ready")
echo "Resource Manager is at $arm"

# The token that Goldmint's own managed identity gets.
token=$(curl -sS -H "X-IDENTITY-HEADER: $(field identityHeader <<<"$ready")" \
  "$(field identityEndpoint <<<"$ready")?api-version=2019-08-01&resource=https://management.azure.com" | field access_token)
az() { # METHOD PATH [curl's own arguments]
  local method=$1 path=$2
  shift 2
  curl -sS -X "$method" -H "Authorization: Bearer $token" -H 'Content-Length: 0' "$arm$path?api-version=2026-04-01${query:-}" "$@"
}
group=/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/golden-vms/providers/Microsoft.Compute
vm=$group/virtualMachines/web-01
state() { query='&$expand=instanceView' az GET "$vm" | grep -oE '(PowerState|OSState)/[a-z]+' | paste -sd ' '; }
echo "web-01 is $(state)"

say '$ curl -X POST …/virtualMachines/web-01/deallocate'
operation=$(az POST "$vm/deallocate" -o /dev/null -D - | tr -d '\r' | sed -n 's/^[Aa]zure-[Aa]sync[Oo]peration: //p')
until curl -sS -H "Authorization: Bearer $token" "$operation" | grep -q '"status":"Succeeded"'; do sleep 1; done
echo "web-01 is $(state)"

say '$ curl -X POST …/virtualMachines/web-01/generalize'
az POST "$vm/generalize" -o /dev/null -w 'HTTP %{http_code}\n'
echo "web-01 is $(state)"

say 'Goldmint publishes'
ended=''
while [[ -z $ended ]] && read -r -t 60 event <&"${LOCAL[0]}"; do
  echo "$(grep -oE 'goldmint\.build\.[a-z]+' <<<"$event")  $(field imageId <<<"$event")"
  case $event in *'"type":"goldmint.build.succeeded"'* | *'"type":"goldmint.build.failed"'*) ended=$event ;; esac
done
[[ $ended == *succeeded* ]] || { echo "no image was made" >&2; exit 1; }

say '$ curl …/images'
images=$(az GET "$group/images")
grep -oE '"name":"[^"]*"|"goldmint-build-id":"[^"]*"|"(goldmint-)?source-[a-z-]*":"[^"]*"|"hyperVGeneration":"V."' <<<"$images"

say 'Generalized again, as Event Grid may say it twice'
az POST "$vm/generalize" -o /dev/null -w 'HTTP %{http_code}\n'
while read -r -t 8 event <&"${LOCAL[0]}"; do echo "one event too many: $event" >&2; exit 1; done
[[ $(az GET "$group/images" | grep -o '"type":"Microsoft.Compute/images"' | wc -l) == 1 ]] || { echo "not one image" >&2; exit 1; }
echo 'Still one image, and no other event.'

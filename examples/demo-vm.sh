#!/usr/bin/env bash
# A VM is generalized, an image appears. Plain ARM calls with curl against the local Azure; nothing asks Goldmint for an image.
#
#   make demo-vm
#   make demo-vm GALLERY=corp/web    a Trusted Launch VM becomes a version of this image definition
#
# A version takes Azure seven minutes. SPEED divides that; 2, the default, leaves time to see a region done before the end.
set -euo pipefail
cd "$(dirname "$0")/.."

bold='' plain=''
if [[ -t 1 ]]; then bold=$'\033[1m' plain=$'\033[0m'; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; } # of JSON on one line

definition=${GALLERY:-}
if [[ -n $definition ]]; then
  [[ $definition =~ ^[A-Za-z0-9_.]+/[A-Za-z0-9_.-]+$ ]] || { echo "GALLERY is $definition, not gallery/definition" >&2; exit 2; }
  run=(goldmint local --speed "${SPEED:-2}")
else
  run=(goldmint local --vm web-01,goldmint=capture,team=web)
fi
say "$ ${run[*]}"
coproc LOCAL { exec "bin/${run[0]}" "${run[@]:1}" --output json; }
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
  if [[ $method == POST ]]; then set -- -H 'Content-Length: 0' "$@"; fi
  curl -sS -X "$method" -H "Authorization: Bearer $token" "$arm$path?api-version=${api:-2026-04-01}${query:-}" "$@"
}
put() { # PATH JSON
  az PUT "$1" -H 'Content-Type: application/json' --data "$2" -o /dev/null -w 'HTTP %{http_code}\n'
}
group=/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/golden-vms/providers/Microsoft.Compute
vm=$group/virtualMachines/web-01
state() { query='&$expand=instanceView' az GET "$vm" | grep -oE '(PowerState|OSState)/[a-z]+' | paste -sd ' '; }

if [[ -n $definition ]]; then
  gallery=$group/galleries/${definition%/*} images=$group/galleries/${definition/\//\/images\/}/versions
  say "$ curl -X PUT …/galleries/${definition%/*}, …/images/${definition#*/} (SecurityType TrustedLaunch)"
  api=2026-03-03 put "$gallery" '{"location":"westeurope"}'
  api=2026-03-03 put "${images%/versions}" '{"location":"westeurope","properties":{"osType":"Linux","osState":"Generalized","hyperVGeneration":"V2",
    "identifier":{"publisher":"demo","offer":"demo","sku":"web"},"features":[{"name":"SecurityType","value":"TrustedLaunch"}]}}'
  say "$ curl -X PUT …/virtualMachines/web-01 (Trusted Launch, tagged goldmint-gallery-image=$definition)"
  put "$vm" '{"location":"westeurope","tags":{"goldmint":"capture","goldmint-gallery-image":"'"$definition"'","goldmint-commit":"1f6c0ad"},
    "properties":{"hyperVGeneration":"V2","securityProfile":{"securityType":"TrustedLaunch"},"storageProfile":{"osDisk":{"osType":"Linux","createOption":"FromImage"}}}}'
  until az GET "$vm" | grep -q '"provisioningState":"Succeeded"'; do sleep 1; done
else
  images=$group/images
fi
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
while [[ -z $ended ]] && read -r -t 600 event <&"${LOCAL[0]}"; do
  echo "$(grep -oE 'goldmint\.build\.[a-z]+' <<<"$event")  $(field imageId <<<"$event")"
  grep -oE '"region":"[^}]*' <<<"$event" | tr -d '"' | sed 's/^/    /' || true
  case $event in *'"type":"goldmint.build.succeeded"'* | *'"type":"goldmint.build.failed"'*) ended=$event ;; esac
done
[[ $ended == *succeeded* ]] || { echo "no image was made" >&2; exit 1; }

say "$ curl …/${images#"$group/"}"
made=$(az GET "$images")
grep -oE '"name":"[^"]*"|"goldmint-build-id":"[^"]*"|"(goldmint-)?source-[a-z-]*":"[^"]*"|"goldmint-commit":"[^"]*"|"hyperVGeneration":"V."|"provisioningState":"[^"]*"' <<<"$made"

say 'Generalized again, as Event Grid may say it twice'
az POST "$vm/generalize" -o /dev/null -w 'HTTP %{http_code}\n'
while read -r -t 8 event <&"${LOCAL[0]}"; do echo "one event too many: $event" >&2; exit 1; done
[[ $(az GET "$images" | grep -oE '"type":"Microsoft.Compute/(images|galleries/images/versions)"' | wc -l) == 1 ]] || { echo "not one image" >&2; exit 1; }
echo 'Still one image, and no other event.'

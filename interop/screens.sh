#!/bin/sh
# What people see, on real terminals (tmux): the board at several sizes, while it is resized and on a dumb terminal; then what
# one who waits is told, second by second, when a VM or a role is missing, in a burst, and while Azure takes its time.
. "$(dirname "$0")/local.inc"
need tmux
make -s -C "$root" build >"$scratch/build.log" 2>&1 || { cat "$scratch/build.log"; exit 1; }
export XDG_CACHE_HOME="$scratch/cache" NO_COLOR= LANG=C.UTF-8 LC_ALL=C.UTF-8
requests=$root/examples/requests
goldmint=$root/bin/goldmint

tm() { tmux -L "goldmint-$$" -f /dev/null "$@"; }
finish_screens() { tm kill-server 2>/dev/null || true; finish; }
trap finish_screens EXIT

# screen NAME COLUMNS LINES COMMAND runs a command on a terminal of that size, which stays when it ends. $scratch/NAME.raw gets
# all that the command writes.
screen() {
  tm new-session -d -s "$1" -x "$2" -y "$3" "sh -c 'read go; $4; echo \$? >$scratch/$1.exit'" \; set-option -t "$1" remain-on-exit on \; set-option -t "$1" status off
  tm pipe-pane -t "$1" "cat >$scratch/$1.raw"
  tm send-keys -t "$1" Enter
}
shown() { tm capture-pane -p -J -S - -t "$1" | sed 's/ *$//; /^Pane is dead/d'; }
ended() { while [ ! -s "$scratch/$1.exit" ]; do sleep 0.2; done; }
fail() { echo "FAILED: $*"; exit 1; }

# whole NAME: the run ended well, and each image id stands there once, from its slash to its end.
whole() {
  ended "$1"
  [ "$(cat "$scratch/$1.exit")" = 0 ] || { shown "$1"; fail "$1: exit status $(cat "$scratch/$1.exit")"; }
  for file in "$requests"/*.json; do
    name=image-$(basename "$file" .json)
    n=$(shown "$1" | grep -cE "(^|[ ])/subscriptions/[^ ]*/images/$name\$") || true
    [ "$n" = 1 ] || { shown "$1"; fail "$1: the id of $name stands there $n times"; }
  done
  shown "$1" | grep -q '^10 images in ' || { shown "$1"; fail "$1: no sum at the end"; }
}

run="$goldmint local --submit $requests --until-done"
for size in 80x24 120x40 200x50 20x5; do screen "$size" "${size%x*}" "${size#*x}" "$run"; done
screen resized 120 40 "$run"
screen dumb 100 30 "TERM=dumb $run"
screen plain 100 30 "NO_COLOR=1 $run"

# While it runs: every build in one row, and one line of sums.
until shown 80x24 | grep -q 'creating$'; do sleep 0.1; done
shown 80x24 >"$scratch/live"
[ "$(grep -c ' from-vm ' "$scratch/live")" = 1 ] && [ "$(grep -c '^10 builds, ' "$scratch/live")" = 1 ] || { cat "$scratch/live"; fail "the board at 80 columns"; }
for size in "60 20" "33 12" "140 50"; do tm resize-window -t resized -x "${size% *}" -y "${size#* }"; sleep 0.7; done
for name in 80x24 120x40 200x50 20x5 resized dumb plain; do whole "$name"; done
[ "$(shown resized | grep -c '^10 builds, ')" = 0 ] || { shown resized; fail "resized: a line of the board is left over"; }
escape=$(printf '\033')
! grep -q "$escape" "$scratch/dumb.raw" || fail "an escape sequence on a dumb terminal"
! grep -q "$escape\[[0-9]*m" "$scratch/plain.raw" || fail "colours in spite of NO_COLOR"
grep -q "$escape\[32m" "$scratch/80x24.raw" || fail "no colours at 80 columns"

echo "--- 80 columns, while it runs"; cat "$scratch/live"
for name in 80x24 120x40 200x50 dumb; do echo "--- $name, at the end"; shown "$name" | sed -n '/^Submitted/,/^10 images/p'; done

# A pipe that closes ends the command, and whatever it had started.
{ $run --output json 2>"$scratch/pipe.err" || echo $? >"$scratch/pipe.exit"; } | head -n 1 >/dev/null
[ "$(cat "$scratch/pipe.exit")" = 141 ] && [ ! -s "$scratch/pipe.err" ] || fail "a closed pipe: exit status $(cat "$scratch/pipe.exit")"

# film NAME SECONDS shows what a terminal of 100 columns shows whenever that changes, but for the seconds that it counts.
film() {
  echo "--- $1"
  begun=$(date +%s) second=0 before=
  while [ "$second" -le "$2" ] && [ ! -s "$scratch/$1.exit" ]; do
    second=$(($(date +%s) - begun))
    now=$(shown "$1" | grep -v '^$' | sed 's/^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] *//; s/  *[0-9hm.]*s$//')
    [ "$now" = "$before" ] || echo "$now" | sed "s/^/$(printf '%3d' $second) s  /"
    before=$now
    sleep 0.2
  done
  [ ! -s "$scratch/$1.exit" ] || shown "$1" | grep -v '^$' | sed "s/^/$(printf '%3d' $second) s  /"
}
# azure NAME FLAGS starts a local Azure, and says how to reach it.
azure() {
  name=$1; shift
  "$goldmint" local --env-file "$scratch/$name.env" "$@" >"$scratch/$name.log" 2>&1 &
  azures="${azures-} $!"
  until [ -s "$scratch/$name.env" ]; do sleep 0.1; done
  sed -n 's/^GOLDMINT_CONNECTION_STRING=//p' "$scratch/$name.env"
}
finish_screens() { tm kill-server 2>/dev/null || true; [ -z "${azures-}" ] || kill $azures 2>/dev/null || true; finish; }
# waits NAME NUMBER submits a request to that Azure, waits, and films what it shows.
waits() {
  screen "$1" 100 12 "GOLDMINT_CONNECTION_STRING=\"$(cat "$scratch/at")\" $goldmint submit $requests/from-vm.json --id web-1 --wait"
  film "$1" 75 >"$scratch/film-$2" &
  films="${films-} $!"
}

azure vm >"$scratch/at"; waits missing-vm 1
azure role --prepare "$requests" --faults forbidden=1 >"$scratch/at"; waits missing-role 2
azure slow --prepare "$requests" --image-duration 30s >"$scratch/at"; waits slow-image 3
azure burst --prepare "$requests" --limits bucket >"$scratch/at"
sed 's/"name": "[^"]*"/"name": "NAME"/' "$requests/from-vm.json" >"$scratch/other.json"
mkdir "$scratch/others"
for n in $(seq 80); do sed "s/NAME/other-$n/" "$scratch/other.json" >"$scratch/others/$n.json"; done
GOLDMINT_CONNECTION_STRING=$(cat "$scratch/at") "$goldmint" submit "$scratch/others" >/dev/null
waits throttled-burst 4
wait $films
cat "$scratch"/film-?
for words in 'asked' 'Azure says 404 NotFound; trying again until' 'Azure says 403' 'creating' "waiting for Azure's rate limit until about .*, behind"; do
  grep -qE "$words" "$scratch"/film-? || fail "nobody is told: $words"
done

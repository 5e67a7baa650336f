#!/usr/bin/env bash
# Drives the console of a running daemon by tmux, as somebody who sits at it would:
# looks at a script, types a rule, edits the file, takes it back. What is seen is
# checked; the exit code is 1 where something does not come.
#   ./console.sh [HOOKD]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
hookd=${1:-hookd}
work=$(mktemp -d)
screen() { tmux -S "$work/tmux" "$@"; }
trap 'screen kill-server 2>/dev/null || true; rm -rf "$work"' EXIT

# see waits until a text is on the screen, or was: lines that come may push it off.
see() {
  local end=$((SECONDS + 60))
  while [ $SECONDS -lt $end ]; do
    if screen capture-pane -pJ -S -2000 | grep -qF -- "$1"; then return; fi
    sleep 0.01
  done
  echo "this does not come: $1" >&2
  screen capture-pane -p >&2
  exit 1
}
# written waits until a pattern is in the log.
written() {
  local end=$((SECONDS + 60))
  until grep -q "$1" "$work/alerts.jsonl"; do
    if [ $SECONDS -ge $end ]; then echo "$2" >&2; exit 1; fi
    sleep 0.01
  done
}
# enter types a line.
enter() { screen send-keys -l -- "$1"; screen send-keys Enter; }

mkdir "$work/scripts"
cp "$here/main.lua" "$work/scripts/"
screen -f /dev/null new-session -d -x 110 -y 50 -c "$work" \
  "HOOKD_HISTORY= NO_COLOR=1 '$hookd' run scripts --console --pcap '$here/capture.pcap' --speed 1x --loop 0 --control sock --log alerts.jsonl; echo left with \$?; sleep 60"
see 'hookd 1>'

# Into the script: its top-level locals, and a change that lasts until its reload.
enter ':in main'
see 'main.lua has limit'
enter 'limit'
see '70'
enter 'limit = 80'
see 'changed until scripts/main.lua is reloaded: limit'
enter ':in'

# A rule that is live at once; what it prints comes here.
enter 'rule "hosts" { on = flow.conn_end, run = function(c) print("ended: " .. tostring(c.server)) end }'
see 'rule "hosts" is live until this console is left'
see 'ended: '
enter ':drop hosts'
see 'hosts is gone'

written '"limit":80' 'the change in the console did nothing'

# The file is edited elsewhere, and live by itself: to ask for it by :reload may come
# second, and would be a generation more.
sed -i 's/local limit = 70/local limit = 20/' "$work/scripts/main.lua"
enter ':in main'
for _ in $(seq 50); do
  enter '"now " .. limit'
  sleep 0.2
  if screen capture-pane -pJ | grep -qF '"now 20"'; then break; fi
done
see '"now 20"'
written '"gen":2,.*"limit":20' 'the edited file did nothing'
enter ':in'
enter ':rollback'
see 'generation 3 is live, 1 script changed'

# A mistake shows where.
enter 'flow.conn_strat'
see 'did you mean conn_start?'
enter ':quit'
see 'left with 0'
echo 'seen: a script looked into, a rule typed, a file edited and taken back'

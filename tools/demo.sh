#!/usr/bin/env -S --default-signal=INT bash
# SPDX-License-Identifier: Apache-2.0
# The main job on this machine: platform and node, and a player who gets instances, solves them and
# stands on the scoreboard, through the same commands and API as any player.
#
#	tools/demo.sh [--once] [BUILD-DIR]
#
# Serves on until Ctrl-C, which stops every instance; --once ends after the walk instead. State is
# kept in BUILD-DIR/run. LISTEN says where the platform answers (127.0.0.1:8000, or a free port where
# that one is taken). Started in the background of a script it would be deaf to Ctrl-C, but for env.
#
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "$0")/.."

once=
[[ ${1:-} != --once ]] || { once=yes && shift; }
build=${1:-build}
run=$build/run
ctfy=$build/ctfy
patience=60 # seconds for the platform to answer
up=         # pid of ctfy up

# The player's login is the demo's own.
export XDG_CONFIG_HOME=$run/config

fail() {
	echo "demo: $*" >&2
	exit 1
}

is_up() {
	kill -0 "$up" 2>/dev/null
}

# A shell's wait ends when a signal comes in; up has ended when it has.
wait_for_up() {
	local status=0
	while is_up; do
		wait "$up" && status=0 || status=$?
	done
	return "$status"
}

# Once: a second signal would tell ctfy up to leave its instances, and make passes signals on that a
# terminal has sent already.
stop() {
	local status=0
	trap '' INT TERM
	[[ $up ]] || return 0
	printf '\ndemo: stopping every instance\n'
	kill "$up" 2>/dev/null || true
	wait_for_up || status=$?
	up=
	((status == 0)) || fail "ctfy up ended with status $status; see $run/log"
	echo "demo: stopped"
}

on_exit() {
	local status=$?
	((status == 0)) || [[ ! -s $run/log ]] || tail -n 8 "$run/log" >&2
	stop
	exit "$status"
}

port_is_free() {
	! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

start_up() {
	local listen=${LISTEN:-127.0.0.1:8000} deadline=$((SECONDS + patience))
	[[ ${LISTEN:-} ]] || port_is_free 8000 || listen=127.0.0.1:0
	mkdir -p "$run/config"
	: >"$run/out" # not the address of last time
	# In a session of its own: Ctrl-C is ours to pass on. No networks ahead: none stays behind.
	setsid "$ctfy" up --listen "$listen" --node-listen 127.0.0.1:0 --challenges challenges \
		--state "$run/state" --log-format text -- --ready-networks 0 >"$run/out" 2>"$run/log" </dev/null &
	up=$!
	until url=$(grep -om 1 'http://[^ ]*' "$run/out"); do
		is_up || fail "ctfy up did not start"
		((SECONDS < deadline)) || fail "ctfy up does not answer within $patience s"
		sleep 0.05
	done
	export CTFY_URL=$url
}

# now: milliseconds
now() {
	local now=${EPOCHREALTIME/[.,]/}
	echo "${now%???}"
}

# step COMMAND...: shows it, runs it, says how long it took. What it said is in $run/said, too.
step() {
	local began
	printf '\n$ %s\n' "$*"
	began=$(now)
	"$@" | tee "$run/said"
	printf '[%d ms]\n' $(($(now) - began))
}

list_endpoints() {
	"$ctfy" status "$1" --json |
		/usr/bin/python3 -c 'import json, sys
for endpoint in json.load(sys.stdin)["endpoints"]:
	print(endpoint["url"] or "{host}:{port}".format(**endpoint))'
}

# submit CHALLENGE ANSWER, or id=ANSWER where there are several questions
submit() {
	if [[ $2 =~ ^([a-z0-9_-]+)=(.*) ]]; then
		step "$ctfy" submit "$1" "${BASH_REMATCH[2]}" --question "${BASH_REMATCH[1]}"
	else
		step "$ctfy" submit "$1" "$2"
	fi
}

solve() {
	local challenge=$1 endpoints answers answer
	export CTFY_ATTACHMENTS=$run/files/$challenge
	mkdir -p "$CTFY_ATTACHMENTS"
	step "$ctfy" start "$challenge" --timeout 15m
	step "$ctfy" attachments "$challenge" --output "$CTFY_ATTACHMENTS"
	mapfile -t endpoints < <(list_endpoints "$challenge")
	step "challenges/$challenge/solve" "${endpoints[@]}"
	mapfile -t answers <"$run/said"
	for answer in "${answers[@]}"; do
		submit "$challenge" "$answer"
	done
}

walk() {
	local player
	player=demo-$(date +%H%M%S)-$RANDOM
	head -c 18 /dev/urandom | base64 >"$run/password"
	step "$ctfy" register "$player" --team "$player" --password-file "$run/password"
	step "$ctfy" challenges
	for challenge in notes-web overflow two-answers; do
		solve "$challenge"
	done
	step "$ctfy" scoreboard
}

invite() {
	cat <<END_OF_TEXT

The platform serves on until Ctrl-C. Open it in a browser, to play or, as admin, to organise:

	$url
	admin's password: $(cat "$run/state/platform/admin-password")

Or in another terminal:

	export CTFY_URL=$url
	$ctfy register NAME --team TEAM
	$ctfy challenges
	$ctfy start overflow
	$ctfy help

The organiser's token is in $run/state/platform/admin-token, the log in $run/log.
END_OF_TEXT
}

trap on_exit EXIT
trap 'exit 130' INT TERM
start_up
echo "demo: ctfy is up at $url"
walk
if [[ ! $once ]]; then
	invite
	trap 'stop; exit 0' INT TERM
	wait_for_up || fail "ctfy up ended by itself"
fi

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An image registry of a test's own, on this machine alone.
#
#	tools/registry.sh start DIR [--auth USER:PASSWORD] [--listen ADDRESS:PORT]
#		starts one and prints its address; port 0, the default, picks a free one
#	tools/registry.sh stop DIR
#		stops it
#
# DIR gets its configuration, log, pid file and images. The images outlast a stop: another start on
# the same DIR serves them again.
set -euo pipefail

patience=20 # seconds

fail() {
	echo "registry: $*" >&2
	exit 1
}

is_registry() {
	[[ $(cat "/proc/$1/comm" 2>/dev/null) == docker-registry ]]
}

running_pid() {
	local pid
	pid=$(cat "$dir/pid" 2>/dev/null) && is_registry "$pid" && echo "$pid"
}

write_config() {
	local listen=$1 auth=$2
	cat >"$dir/config.yml" <<END
version: 0.1
storage:
  filesystem:
    rootdirectory: $dir/images
  delete:
    enabled: true
http:
  addr: $listen
  secret: registry
END
	[[ $auth ]] || return 0
	htpasswd -Bbn "${auth%%:*}" "${auth#*:}" >"$dir/htpasswd"
	cat >>"$dir/config.yml" <<END
auth:
  htpasswd:
    realm: registry
    path: $dir/htpasswd
END
}

wait_for_address() {
	local pid=$1 deadline=$((SECONDS + patience)) address
	until address=$(grep -om 1 'listening on [^",]*' "$dir/log"); do
		if ! kill -0 "$pid" 2>/dev/null; then
			tail -n 5 "$dir/log" >&2
			fail "docker-registry exited (above)"
		fi
		((SECONDS < deadline)) || fail "docker-registry does not listen; see $dir/log"
		sleep 0.05
	done
	echo "${address#listening on }"
}

start() {
	local auth='' listen=127.0.0.1:0
	while (($#)); do
		case $1 in
		--auth) auth=${2:?--auth needs USER:PASSWORD} ;;
		--listen) listen=${2:?--listen needs ADDRESS:PORT} ;;
		*) fail "'$1' is not an option" ;;
		esac
		shift 2
	done
	type -P docker-registry >/dev/null || fail "docker-registry is not installed; run: tools/deps.sh test"
	! running_pid >/dev/null || fail "one is running in '$dir' already"

	write_config "$listen" "$auth"
	setsid docker-registry serve "$dir/config.yml" >"$dir/log" 2>&1 </dev/null &
	echo $! >"$dir/pid"
	wait_for_address $!
}

stop() {
	local pid deadline=$((SECONDS + patience))
	pid=$(running_pid) || return 0
	kill "$pid"
	while is_registry "$pid"; do
		((SECONDS < deadline)) || fail "docker-registry (pid $pid) does not stop"
		sleep 0.05
	done
	rm -f "$dir/pid"
}

(($# >= 2)) || fail "usage: tools/registry.sh start|stop DIR [OPTION...]"
command=$1
mkdir -p "$2"
dir=$(realpath "$2")
shift 2
case $command in
start) start "$@" ;;
stop) stop ;;
*) fail "'$command' is not a command: start, stop" ;;
esac

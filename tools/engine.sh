#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes sure that a Docker engine answers, and says which.
#
#	tools/engine.sh		starts one if none answers: by systemd, else dockerd itself
#	tools/engine.sh --stop	stops the dockerd that this script started, and no other
#
# DOCKER_HOST is obeyed: an engine elsewhere is only asked, never started.
set -euo pipefail

pid_file=/run/ctfy-dockerd.pid
lock_file=/run/ctfy-dockerd.lock
log=/var/log/ctfy-dockerd.log
# Seconds for dockerd to answer. It restores what an engine that was killed left behind first, and
# was seen to take 0.2 s for each network of that.
patience=600

# Debian's client by its path: another one may come first in PATH, too new for this engine.
docker=/usr/bin/docker

fail() {
	echo "engine: $*" >&2
	exit 1
}

engine_version() {
	timeout 10 "$docker" version --format '{{.Server.Version}}' 2>&1 | sed '/^$/d'
}

is_our_dockerd() {
	[[ $(cat "/proc/$1/comm" 2>/dev/null) == dockerd ]]
}

start_by_systemd() {
	systemctl start docker || fail "systemctl start docker failed; see: journalctl -u docker"
}

start_dockerd() {
	type -P dockerd >/dev/null || fail "dockerd is not installed; run: tools/deps.sh run"
	ulimit -n "$(ulimit -Hn)" # dockerd holds about eight descriptors for each container
	setsid dockerd >"$log" 2>&1 </dev/null 9>&- &
	echo $! >"$pid_file"
}

wait_for_engine() {
	local deadline=$((SECONDS + patience)) told=$((SECONDS + 10)) pid
	pid=$(cat "$pid_file" 2>/dev/null || true)
	until version=$(engine_version); do
		if [[ $pid ]] && ! kill -0 "$pid" 2>/dev/null; then
			tail -n 8 "$log" >&2
			fail "dockerd exited (its last lines above; the whole log: $log)"
		fi
		((SECONDS < deadline)) || fail "no answer within $patience s: $version (its log: $log)"
		if ((SECONDS >= told)); then
			echo "engine: dockerd is not ready yet ($((patience - deadline + SECONDS)) s)"
			told=$((SECONDS + 10))
		fi
		sleep 0.1
	done
}

start() {
	[[ -x $docker ]] || fail "$docker is not installed; run: tools/deps.sh run"
	if version=$(engine_version); then
		echo "engine: Docker $version answers"
		return
	fi
	[[ -z ${DOCKER_HOST:-} ]] || fail "no engine answers at DOCKER_HOST '$DOCKER_HOST': $version"
	((EUID == 0)) || fail "not root, and no engine answers: $version"

	exec 9>"$lock_file"
	flock 9 # another caller may be starting it
	if ! version=$(engine_version); then
		rm -f "$pid_file"
		if [[ -d /run/systemd/system ]]; then
			start_by_systemd
		else
			start_dockerd
		fi
		wait_for_engine
	fi
	echo "engine: Docker $version started"
}

stop() {
	local pid deadline=$((SECONDS + patience))
	pid=$(cat "$pid_file" 2>/dev/null || true)
	if [[ -z $pid ]] || ! is_our_dockerd "$pid"; then
		rm -f "$pid_file"
		echo "engine: none of ours is running"
		return
	fi
	kill "$pid"
	while is_our_dockerd "$pid"; do
		((SECONDS < deadline)) || fail "dockerd (pid $pid) does not stop; see $log"
		sleep 0.1
	done
	rm -f "$pid_file"
	echo "engine: stopped"
}

case ${1:-} in
'') start ;;
--stop) stop ;;
*) fail "usage: tools/engine.sh [--stop]" ;;
esac

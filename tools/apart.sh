#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command as on a machine where no engine ever ran.
#
#	tools/apart.sh COMMAND...
#
# It gets a network, processes, /run and /tmp of its own, and nothing where engines keep their data:
# what other engines on this machine have neither helps nor harms. Its way out is slirp4netns, which
# changes nothing in this machine's network. What it leaves running ends with it, its data is removed.
# The exit status is the command's.
set -euo pipefail

parent=/var/tmp
data=(/var/lib/docker /var/lib/containers) # Docker's and Podman's
name_server=10.0.2.3                       # slirp4netns's own
patience=30                                # seconds: for the network; for what ends

fail() {
	echo "apart: $*" >&2
	exit 1
}

# --- Outside ----------------------------------------------------------------------------------

remove_place() {
	umount "$1/net" 2>/dev/null || true
	rm -rf --one-file-system "$1"
}

# Places whose lock nobody holds any more: their run was killed.
sweep_the_dead() {
	local place lock
	for place in "$parent"/ctfy-apart.*/; do
		[[ -f $place/lock ]] || continue
		exec {lock}<"$place/lock"
		! flock -n "$lock" || remove_place "${place%/}"
		exec {lock}<&-
	done
}

make_place() {
	place=$(mktemp -d -p "$parent" ctfy-apart.XXXXXX)
	exec {lock}>"$place/lock"
	flock "$lock"
	mkdir -p "$place"/{data,tmp,tree} "${data[@]}"
	chmod 1777 "$place/tmp"
	chmod 755 "$place"
	echo "nameserver $name_server" >"$place/resolv.conf"
	mkfifo "$place/connected"
	touch "$place/net"
	unshare --net="$place/net" true
}

# Whoever is started by this ends when the one who started it does, however that ends.
with_us=(setpriv --pdeathsig KILL)

connect_place() {
	local ready
	exec {ready}<>"$place/connected"
	"${with_us[@]}" slirp4netns --configure --mtu=65520 --disable-host-loopback \
		--netns-type=path --ready-fd="$ready" "$place/net" tap0 >"$place/slirp.log" 2>&1 {lock}>&- &
	network=$!
	read -r -t "$patience" -n 1 -u "$ready" || fail "no network: $(tail -n 3 "$place/slirp.log")"
	exec {ready}<&-
}

end() {
	local status=$?
	trap '' INT TERM
	[[ -z ${inside:-} ]] || { pkill -KILL -P "$inside" && wait "$inside"; } 2>/dev/null || true
	[[ -z ${network:-} ]] || { kill "$network" && wait "$network"; } 2>/dev/null || true
	[[ -z ${place:-} ]] || remove_place "$place"
	exit "$status"
}

run() {
	((EUID == 0)) || fail "not root, which it takes to run an engine"
	type -P slirp4netns >/dev/null || fail "slirp4netns is not installed; run: tools/deps.sh test"
	sweep_the_dead
	trap end EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	make_place
	connect_place
	"${with_us[@]}" nsenter --net="$place/net" \
		unshare --mount --pid --fork --kill-child --mount-proc "$0" --inside "$place" "$@" {lock}>&- &
	inside=$!
	wait "$inside"
}

# --- Inside: process 1 ------------------------------------------------------------------------

# The kernel shows a network's devices where the file system was mounted in that network.
mount_sys() {
	mkdir /run/cgroup
	mount --rbind /sys/fs/cgroup /run/cgroup
	mount -t sysfs sysfs /sys
	mount --rbind /run/cgroup /sys/fs/cgroup
	umount -l /run/cgroup
	rmdir /run/cgroup
}

# The command's directory stays where it is, in /tmp too.
mount_tmp() {
	mount --bind "$PWD" "$place/tree"
	mount --bind "$place/tmp" /tmp
	mkdir -p "$PWD"
	mount --move "$place/tree" "$PWD"
	cd "$PWD"
}

# It may be a link into /run.
mount_name_server() {
	local file
	file=$(realpath -m /etc/resolv.conf)
	mkdir -p "${file%/*}"
	[[ -e $file ]] || touch "$file"
	mount --bind "$place/resolv.conf" "$file"
}

settle_in() {
	local directory
	mount -t tmpfs -o mode=755 tmpfs /run
	mkdir /run/lock
	for directory in "${data[@]}"; do
		mkdir -p "$place/data/${directory##*/}"
		mount --bind "$place/data/${directory##*/}" "$directory"
	done
	mount_sys
	mount_tmp
	mount_name_server
	ip link set lo up
	unset DOCKER_HOST TMPDIR
}

# An engine that is told takes its containers down, and their cgroups with them.
end_others() {
	local deadline=$((SECONDS + patience))
	kill -TERM -1 2>/dev/null || return 0
	while kill -0 -1 2>/dev/null && ((SECONDS < deadline)); do
		sleep 0.1
	done
}

run_inside() {
	local status=0
	place=$1
	settle_in
	"${@:2}" || status=$?
	end_others
	exit "$status"
}

case ${1:-} in
'') fail "usage: tools/apart.sh COMMAND..." ;;
--inside) run_inside "${@:2}" ;;
*) run "$@" ;;
esac

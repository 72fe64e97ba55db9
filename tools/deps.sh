#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian 12 packages that ctfy needs, by what they are needed for.
#
#	tools/deps.sh GROUP...
#
#	build   compile ctfy and its unit tests, bundle the web interface
#	run     a Docker engine and what makes its base images
#	test    the tests' peers: registry, varnishtest, docker-compose, FastAPI, load generators, a browser
#	lint    formatters and analysers
#
# Asks for nothing and returns at once when nothing is missing. No service is started: see
# tools/engine.sh for the engine.
#
# shellcheck disable=SC2034 # the groups are used by their names
set -euo pipefail

build=(gcc libc6-dev meson ninja-build pkg-config make libmicrohttpd-dev libcurl4-openssl-dev
	libjansson-dev libyaml-dev libarchive-dev libsqlite3-dev libsodium-dev
	libcjose-dev libpcre2-dev libssl-dev libseccomp-dev libnghttp2-dev zlib1g-dev
	libbrotli-dev libzstd-dev libcmocka-dev nodejs npm)
run=(docker.io iptables nftables conntrack iproute2 debootstrap busybox-static ca-certificates curl python3)
test=(g++ faketime openvpn tcpdump varnish docker-compose docker-registry apache2-utils openssl python3-fastapi
	python3-uvicorn python3-uvloop python3-httptools python3-httpx python3-jsonschema python3-websockets mitmproxy tshark wrk clang-14
	libclang-rt-14-dev chromium podman netavark aardvark-dns catatonit slirp4netns runsc)
lint=(clang-format clang-tidy cppcheck shellcheck)

# Units that these packages would enable and start.
services=(varnish.service varnishncsa.service docker-registry.service podman.service podman.socket
	podman-restart.service podman-auto-update.service podman-auto-update.timer)

log=$(mktemp -t ctfy-deps.XXXXXX)
masked=()

fail() {
	echo "deps: $*" >&2
	exit 1
}

on_exit() {
	local status=$?
	if ((${#masked[@]})); then
		systemctl --quiet disable "${masked[@]}" 2>>"$log" || true
		systemctl --quiet --runtime unmask "${masked[@]}" || true
	fi
	if ! ((status)) || ! [[ -s $log ]]; then
		rm -f "$log"
	fi
}
trap on_exit EXIT

# list_missing PACKAGE...
list_missing() {
	local installed package
	installed=$({ dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null || true; } |
		sed -n 's/^.i. //p')
	# Docker's own packages conflict with Debian's: an engine that is here stays.
	! type -P dockerd >/dev/null || installed+=$'\ndocker.io'
	# So does a newer Node.js than Debian's.
	! type -P node >/dev/null || ! type -P npm >/dev/null || installed+=$'\nnodejs\nnpm'
	for package; do
		[[ $'\n'$installed$'\n' == *$'\n'$package$'\n'* ]] || echo "$package"
	done
}

# Units are masked while their package is unpacked, and left disabled; RUNLEVEL=1 says the same to
# init scripts where there is no systemd. Units that are already here belong to somebody: not ours.
keep_services_down() {
	local unit
	export RUNLEVEL=1
	[[ -d /run/systemd/system ]] || return 0
	for unit in "${services[@]}"; do
		if ! systemctl cat "$unit" >/dev/null 2>&1; then
			systemctl --quiet --runtime mask "$unit"
			masked+=("$unit")
		fi
	done
}

# apt-get's output on stdin goes to the log; a line of progress now and then to the terminal.
show_progress() {
	local line done=0 total=0 shown=$SECONDS
	while IFS= read -r line; do
		printf '%s\n' "$line" >>"$log"
		if [[ $line =~ ([0-9]+)\ upgraded,\ ([0-9]+)\ newly ]]; then
			total=$((2 * (BASH_REMATCH[1] + BASH_REMATCH[2])))
		elif [[ $line =~ ^Need\ to\ get\ (.*\ [kMG]?B) ]]; then
			echo "deps: downloading ${BASH_REMATCH[1]%%/*}"
		elif [[ $line =~ ^(Unpacking|Setting\ up)\ ([^ ]+) ]]; then
			done=$((done + 1))
			if ((SECONDS - shown >= 2)); then
				echo "deps: [$((total ? 100 * done / total : 0))%] ${BASH_REMATCH[2]}"
				shown=$SECONDS
			fi
		fi
	done
}

apt() {
	DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -y -o DPkg::Lock::Timeout=300 \
		-o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold -o Acquire::Retries=2 \
		"$@" 2>&1 </dev/null | show_progress
}

(($#)) || fail "usage: tools/deps.sh build|run|test|lint..."
wanted=()
for group; do
	case $group in
	build | run | test | lint) ;;
	*) fail "'$group' is not a group: build, run, test, lint" ;;
	esac
	declare -n packages=$group
	wanted+=("${packages[@]}")
done
missing=$(list_missing "${wanted[@]}")
[[ $missing ]] || exit 0
mapfile -t missing <<<"$missing"

((EUID == 0)) || fail "not root; run as root: apt-get install ${missing[*]}"
echo "deps: installing ${missing[*]}"
apt update || echo "deps: apt-get update failed; trying with the package lists that are here" >&2
keep_services_down
apt install --no-install-recommends "${missing[@]}" || {
	grep -E '^(E:|W:|Err:)' "$log" | head -n 15 >&2
	fail "apt-get install failed (above; the whole log: $log)"
}
echo "deps: installed in $SECONDS s"

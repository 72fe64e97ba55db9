#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes sure that web/dist is the web interface as its sources are: returns at once when it is,
# which needs neither npm nor a network. Otherwise npm gets what package-lock.json names, and
# esbuild bundles.
#
#	web/build.sh [--packages]
#
# --packages only gets what the bundling and the tests need. Called by meson dist, it puts web/dist
# into the tarball, which then builds without npm.
set -euo pipefail
cd "$(dirname "$0")"

fail() {
	echo "web: $*" >&2
	exit 1
}

digest() {
	cat "$@" | sha256sum | cut -d ' ' -f 1
}

# recorded FILE: what put there at its last success; nothing where that never was
recorded() {
	cat "$1" 2>/dev/null || true
}

list_sources() {
	LC_ALL=C find build.mjs package-lock.json tsconfig.json src -type f | LC_ALL=C sort
}

install_packages() {
	local wanted
	wanted=$(digest package-lock.json .npmrc)
	[[ $(recorded node_modules/.ctfy) != "$wanted" ]] || return 0
	type -P npm >/dev/null || fail "npm is not here; run: tools/deps.sh build"
	npm ci --loglevel error || fail "npm ci failed (above); without the web interface: meson configure DIR -Dweb=false"
	echo "$wanted" >node_modules/.ctfy
}

build() {
	local sources wanted
	mapfile -t sources < <(list_sources)
	wanted=$(digest "${sources[@]}")
	[[ $(recorded dist/.ctfy) != "$wanted" ]] || return 0
	install_packages
	node build.mjs dist
	echo "$wanted" >dist/.ctfy
}

main() {
	# One at a time, however many build directories there are.
	exec 9>.lock
	flock 9
	if [[ ${1:-} == --packages ]]; then
		install_packages
	else
		build
	fi
	[[ ! ${MESON_DIST_ROOT:-} ]] || cp -r dist "$MESON_DIST_ROOT/web/"
}

main "$@"

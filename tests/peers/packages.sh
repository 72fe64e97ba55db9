#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Gets what package-lock.json names, once.
set -euo pipefail
cd "$(dirname "$0")"

main() {
	local wanted
	# One at a time, however many build directories there are.
	exec 9>.lock
	flock 9
	wanted=$(cat package-lock.json .npmrc | sha256sum)
	[[ $(cat node_modules/.ctfy 2>/dev/null || true) != "$wanted" ]] || return 0
	npm ci --loglevel error
	echo "$wanted" >node_modules/.ctfy
}

main

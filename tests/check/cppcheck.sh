#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What cppcheck says of all that is built: nothing.
#
#	cppcheck.sh DIR		DIR has the compile database
set -euo pipefail
cd "$(dirname "$0")/../.."

dir=${1:?usage: cppcheck.sh DIR}
type -P cppcheck >/dev/null || { echo "cppcheck is not installed; run: tools/deps.sh lint"; exit 77; }
sed -n 's|^ *"file": "\(.*\)",\?$|\1|p' "$dir/compile_commands.json" |
	xargs -I{} realpath --relative-to=. "$dir/{}" | sort -u |
	cppcheck --quiet --error-exitcode=1 --inline-suppr -j "$(nproc)" --std=c11 \
		--enable=warning,performance,portability --suppressions-list=tools/cppcheck.txt \
		--include=tools/cppcheck.h -I src -I include --file-list=-

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Analysers over all that is built, and over the scripts.
#
#	tools/lint.sh DIR	DIR has the compile database
set -uo pipefail
cd "$(dirname "$0")/.." || exit

dir=${1:?usage: tools/lint.sh DIR}
status=0

list_sources() {
	sed -n 's|^ *"file": "\(.*\)",\?$|\1|p' "$dir/compile_commands.json" |
		xargs -I{} realpath --relative-to=. "$dir/{}" | sort -u
}

# A few files at a time: all processors have something to do until near the end.
run_clang_tidy() {
	xargs -P "$(nproc)" -n 8 clang-tidy -p "$dir" --quiet "$@" 2> >(grep -v 'warnings generated' >&2)
}

echo "lint: clang-tidy"
list_sources | grep -v '^src/base/err.c$' |
	run_clang_tidy --extra-arg="-I$PWD/src" --extra-arg=-include --extra-arg="$PWD/tools/lint.h" || status=1
echo src/base/err.c | run_clang_tidy || status=1

echo "lint: cppcheck"
tests/check/cppcheck.sh "$dir" || status=1

echo "lint: shellcheck"
tests/check/shell.sh || status=1

((status)) || echo "lint: clean"
exit "$status"

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

run_cppcheck() {
	cppcheck --quiet --error-exitcode=1 --inline-suppr -j "$(nproc)" --std=c11 \
		--enable=warning,performance,portability --suppressions-list=tools/cppcheck.txt \
		-D'json_array_foreach(a,i,v)=for(i=0;(v=json_array_get(a,i));i++)' \
		-D'json_object_foreach(o,k,v)=for(k="";(v=json_object_get(o,k));)' \
		-I src -I include --file-list=-
}

list_scripts() {
	git -c safe.directory='*' grep -lE '^#!.*[ /](ba)?sh$' -- ':!challenges'
}

echo "lint: clang-tidy"
list_sources | grep -v '^src/base/err.c$' |
	run_clang_tidy --extra-arg="-I$PWD/src" --extra-arg=-include --extra-arg="$PWD/tools/lint.h" || status=1
echo src/base/err.c | run_clang_tidy || status=1

echo "lint: cppcheck"
list_sources | run_cppcheck || status=1

echo "lint: shellcheck"
list_scripts | xargs shellcheck || status=1

((status)) || echo "lint: clean"
exit "$status"

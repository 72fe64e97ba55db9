#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Puts the line that says the licence at the top of each source that lacks it.
#
#	tools/spdx.sh		writes
#	tools/spdx.sh --check	names those that lack it, and fails
#
# Sources are what somebody wrote to be compiled or run. Challenges are their authors' to copy, and what
# tests feed to the programs is data: neither has it.
set -euo pipefail
cd "$(dirname "$0")/.."

words='SPDX-License-Identifier: Apache-2.0'

list_sources() {
	git -c safe.directory='*' ls-files --cached --others --exclude-standard -- '*.c' '*.h' '*.py' '*.sh' \
		'*.ts' '*.tsx' '*.mjs' '*.css' '*.lua' '*.map' 'meson.build' '*/meson.build' Makefile .ci/run tools/hooks \
		':!challenges' ':!tests/*/challenges' ':!tests/fuzz/samples' ':!src/cli/scaffold'
}

# The comment that the line is in a file of that name.
comment() {
	case $1 in
	*.c | *.h | *.css | *.map) echo "/* $words */" ;;
	*.ts | *.tsx | *.mjs) echo "// $words" ;;
	*.lua) echo "-- $words" ;;
	*) echo "# $words" ;;
	esac
}

# The line that says what runs a script stays the first.
add() {
	local after=0
	[[ $(head -c 2 "$1") != '#!' ]] || after=1
	{
		head -n "$after" "$1"
		comment "$1"
		tail -n "+$((after + 1))" "$1"
	} >"$1.spdx"
	cat "$1.spdx" >"$1" # its mode stays
	rm "$1.spdx"
}

lacking=0
while read -r file; do
	[[ -s $file ]] || continue
	! head -n 3 "$file" | grep -qF "$words" || continue
	lacking=$((lacking + 1))
	if [[ ${1:-} == --check ]]; then
		echo "$file does not say its licence; run: tools/spdx.sh"
	else
		add "$file"
	fi
done < <(list_sources)
[[ ${1:-} != --check ]] || ((lacking == 0))

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Everything that can be tested here: plain and sanitized builds, on real parts.
#
#	tools/test.sh [DIR]	builds in DIR (build), DIR-sanitize and DIR-threads
#
# The last line says how many tests passed, failed and were skipped. With CI set, a test that skips
# because a part is missing has failed.
set -euo pipefail
cd "$(dirname "$0")/.."

plain=${1:-build}
sanitized=$plain-sanitize
threads=$plain-threads

# A sanitizer's report must fail the test, also when a program under test catches its exit.
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1

# run_suites DIR NAME MULTIPLIER SELECTION...: meson says which tests failed, tests/check/summary.py how
# many. NAME is the log's, MULTIPLIER the patience's.
run_suites() {
	meson test -C "$1" --no-rebuild --print-errorlogs --logbase "testlog-$2" \
		--timeout-multiplier "$3" "${@:4}" || true
}

start_engine() {
	tools/engine.sh
	tools/base-image.sh
}

# What runs on this machine's engine: one test at a time, in the build that finds more; a browser's tests
# in the plain one.
run_on_engine() {
	run_suites "$sanitized" engine 3 --suite engine --suite node --suite evidence --suite e2e --no-suite beside
	run_suites "$plain" web 2 --suite web
}

# What needs no engine, or has its own, runs meanwhile: the others wait most of their time.
run_beside() {
	run_suites "$plain" plain 2 --no-suite engine --no-suite node --no-suite evidence --no-suite e2e \
		--no-suite peers --no-suite web
	run_suites "$sanitized" beside 3 --suite beside --suite unit --suite script --suite sdk --suite peers
	tools/build.sh "$threads" -Db_sanitize=thread
	run_suites "$threads" threads 4 --suite unit --suite script --suite faults
}

# Runs the function with less claim to the processors than what runs at its side; each line that it says
# is marked as its own. It is a process group, which ends with us.
begin_beside() {
	set -m
	(renice -n 10 "$BASHPID" >/dev/null && "$1" 2>&1 | sed -u 's/^/beside: /') &
	beside=$!
	set +m
	trap 'kill -- "-$beside" 2>/dev/null || true' EXIT
}

tools/deps.sh build run test lint
start_engine &
engine=$!
tools/build.sh "$plain"
tools/build.sh "$sanitized" -Db_sanitize=address,undefined
wait "$engine"

logs=("$plain"/meson-logs/testlog-{plain,web}.json
	"$sanitized"/meson-logs/testlog-{engine,beside}.json
	"$threads"/meson-logs/testlog-threads.json)
rm -f "${logs[@]}"
begin_beside run_beside
run_on_engine
wait "$beside" || true # what did not run has no log, which is a failure
/usr/bin/python3 -P tests/check/summary.py "${logs[@]}"

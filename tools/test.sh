#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Everything that can be tested here: plain and sanitized builds, on real parts.
#
#	tools/test.sh [DIR]	builds in DIR (build) and DIR-sanitize
#
# The last line says how many tests passed, failed and were skipped. With CI set, a test that skips
# because a part is missing has failed.
set -euo pipefail
cd "$(dirname "$0")/.."

plain=${1:-build}
sanitized=$plain-sanitize

# A sanitizer's report must fail the test, also when a program under test catches its exit.
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1

# run_suites DIR [SELECTION...]: meson says which tests failed, tests/check/summary.py how many.
run_suites() {
	meson test -C "$1" --no-rebuild --print-errorlogs "${@:2}" || true
}

tools/deps.sh build run test lint
tools/build.sh "$plain"
tools/build.sh "$sanitized" -Db_sanitize=address,undefined
tools/engine.sh
tools/base-image.sh

rm -f {"$plain","$sanitized"}/meson-logs/testlog.json
# The long suites run once, in the build that finds more; the browser's in the plain one.
run_suites "$plain" --no-suite engine --no-suite node --no-suite evidence --no-suite e2e --no-suite peers \
	--timeout-multiplier 2
run_suites "$sanitized" --no-suite corpus --no-suite check --no-suite web --no-suite fuzz --timeout-multiplier 3
/usr/bin/python3 tests/check/summary.py {"$plain","$sanitized"}/meson-logs/testlog.json

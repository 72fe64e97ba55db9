#!/bin/sh
# Fuzzes with clang's libFuzzer: fuzz.sh SECONDS [TARGET...]
#
# Seeds are the saved samples and, where there is one, the corpus beside the checkout. What is found
# stays in build/fuzz/TARGET; a crash belongs into samples/TARGET with its repair.
set -eu

seconds=${1:?usage: fuzz.sh SECONDS [TARGET...]}
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$root/build/fuzz
corpus=${CTFY_CORPUS:-$root/../shared/corpus}
[ $# -gt 0 ] || set -- yaml text compose spec
mkdir -p "$out"

flags="-g -O1 -D_GNU_SOURCE -fno-omit-frame-pointer -I$root/src -I$root/include
	-I$root/tests/fuzz $(pkg-config --cflags jansson libsodium yaml-0.1)"
libs=$(pkg-config --libs jansson libsodium yaml-0.1)
sources="$root/src/base/arena.c $root/src/base/buf.c $root/src/base/err.c $root/src/base/file.c
	$root/src/base/id.c $root/src/base/secret.c $root/src/base/yaml.c $root/src/challenge/*.c"

seed() {
	case $1 in
	compose) find "$corpus" \( -name 'docker-compose*.y*ml' -o -name 'compose*.y*ml' \) ;;
	spec) find "$corpus" -name 'challenge.y*ml' -o -name challenge.json -o -name benchmark.json ;;
	yaml) find "$corpus" -name '*.y*ml' ;;
	text) find "$corpus" -name .env -o -name 'Dockerfile*' ;;
	esac 2>/dev/null | while read -r file; do
		name=$(printf %s "$file" | sha256sum | cut -c 1-16)
		case $1-$file in
		spec-*challenge.json) { printf j; cat "$file"; } ;;
		spec-*benchmark.json) { printf b; cat "$file"; } ;;
		spec-*) { printf y; cat "$file"; } ;;
		*) cat "$file" ;;
		esac >"$out/$1/$name"
	done
}

for target in "$@"; do
	mkdir -p "$out/$target"
	extra=
	case $target in compose | spec) extra=$root/tests/fuzz/fuzz-folder.c ;; esac
	# shellcheck disable=SC2086 # these are lists
	clang -std=c17 $flags -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		"$root/tests/fuzz/fuzz-$target.c" $extra $sources \
		$libs -lpthread -lm -o "$out/fuzz-$target"
	seed "$target"
	dict=$root/tests/fuzz/$target.dict
	[ -f "$dict" ] && dict="-dict=$dict" || dict=
	# shellcheck disable=SC2086
	"$out/fuzz-$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len=20000 \
		-print_final_stats=1 -artifact_prefix="$out/crash-$target-" $dict \
		"$out/$target" "$root/tests/fuzz/samples/$target"
done

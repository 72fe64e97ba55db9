#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fuzzes with clang's libFuzzer, several targets at a time: fuzz.sh SECONDS [TARGET...]
#
# Seeds are the saved samples and, where there is one, the corpus beside the checkout. What is found
# stays in build/fuzz/TARGET; a crash belongs into samples/TARGET with its repair.
set -euo pipefail

seconds=${1:?usage: fuzz.sh SECONDS [TARGET...]}
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$root/build/fuzz
corpus=${CTFY_CORPUS:-$root/../shared/corpus}
(($#)) || set -- yaml text compose spec json parcel stream capture flow flow-file
libraries=(jansson libsodium yaml-0.1 libarchive libpcre2-8 libcrypto libnghttp2 zlib libbrotlidec libzstd)
rooms=("$root"/src/base/*.c "$root"/src/challenge/*.c "$root"/src/flow/*.c "$root"/src/http/{frame,sha1}.c
	"$root"/src/engine/demux.c "$root"/src/node/capture-read.c)
read -ra flags <<<"-std=c17 -g -O1 -D_GNU_SOURCE -DCTFY_VERSION=\"fuzz\" -fno-omit-frame-pointer -I$root/src
	-I$root/include -I$root/tests/fuzz -fsanitize=address,undefined -fno-sanitize-recover=undefined
	$(pkg-config --cflags "${libraries[@]}" | tr '\n' ' ')"
read -ra libs <<<"$(pkg-config --libs "${libraries[@]}") -lpthread -lm"
cc=(clang)
! type -P ccache >/dev/null || cc=(ccache clang)

# compile SOURCE: where it is newer than its object, or any header is.
compile() {
	local object=$out/objects/${1#"$root/"}.o
	mkdir -p "${object%/*}"
	[[ $object -nt $1 && -z $(find "$root/src" "$root/tests/fuzz" -name '*.h' -newer "$object" -print -quit) ]] ||
		"${cc[@]}" "${flags[@]}" -fsanitize=fuzzer-no-link -c "$1" -o "$object"
}

# build_all TARGET...: one object for each source, whatever the number of targets.
build_all() {
	local target sources=("${rooms[@]}" "$root/tests/fuzz/fuzz-folder.c") extra
	for target; do
		sources+=("$root/tests/fuzz/fuzz-$target.c")
	done
	export -f compile
	printf '%s\0' "${sources[@]}" |
		root=$root out=$out xargs -0 -P "$(nproc)" -I{} bash -c "$(declare -p cc flags); compile {}"
	rm -f "$out/rooms.a"
	ar rcs "$out/rooms.a" "$out"/objects/src/*/*.o
	for target; do
		extra=()
		case $target in compose | spec) extra=("$out/objects/tests/fuzz/fuzz-folder.c.o") ;; esac
		clang "${flags[@]}" -fsanitize=fuzzer "$out/objects/tests/fuzz/fuzz-$target.c.o" "${extra[@]}" \
			"$out/rooms.a" "${libs[@]}" -o "$out/fuzz-$target"
	done
}

# The corpus, in the form that the target reads.
seed() {
	local file name
	mkdir -p "$out/$1"
	[[ -d $corpus ]] || return 0
	case $1 in
	compose) find "$corpus" \( -name 'docker-compose*.y*ml' -o -name 'compose*.y*ml' \) ;;
	spec) find "$corpus" -name 'challenge.y*ml' -o -name challenge.json -o -name benchmark.json ;;
	yaml) find "$corpus" -name '*.y*ml' ;;
	text) find "$corpus" -name .env -o -name .dockerignore -o -name 'Dockerfile*' ;;
	json) find "$corpus" -name '*.json' -size -20k ;;
	esac | while read -r file; do
		name=$(printf %s "$file" | sha256sum | cut -c 1-16)
		case $1-$file in
		spec-*challenge.json) { printf j; cat "$file"; } ;;
		spec-*benchmark.json) { printf b; cat "$file"; } ;;
		spec-*) { printf y; cat "$file"; } ;;
		*) cat "$file" ;;
		esac >"$out/$1/$name"
	done
}

# fuzz TARGET: what it has to say is told where it found something.
fuzz() {
	local dict=$root/tests/fuzz/$1.dict options=()
	[[ ! -f $dict ]] || options=("-dict=$dict")
	if ! "$out/fuzz-$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=20000 \
		-print_final_stats=1 -artifact_prefix="$out/crash-$1-" "${options[@]}" \
		"$out/$1" "$root/tests/fuzz/samples/$1" >"$out/$1.log" 2>&1; then
		tail -n 40 "$out/$1.log"
		echo "fuzz: $1 found something: $out/crash-$1-*" >&2
		return 1
	fi
	echo "$1: $(sed -n 's/^stat::number_of_executed_units: *//p' "$out/$1.log") inputs"
}

mkdir -p "$out"
build_all "$@"
for target; do
	seed "$target"
done
export -f fuzz
export root out seconds
printf '%s\0' "$@" | xargs -0 -P "$(nproc)" -I{} bash -c 'fuzz {}'

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What `make install` leaves is a whole SDK: headers that compile alone, libraries that show the
# promise and nothing else, and a libctfy.pc by which a program links either.
#
#	install.sh BUILD-DIRECTORY README [CFLAG...]
#
# Runs its programs against the peer that with-peer.py serves.
set -euo pipefail

build=$1 readme=$2
shift 2
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

meson install -C "$build" --no-rebuild --quiet --destdir "$root/shared"
pc=$(cd "$root/shared" && find . -name libctfy.pc)
lib=${pc%/pkgconfig/*}
include=$(cd "$root/shared" && find . -path '*/ctfy/node_client.h')
include=${include%/ctfy/*}

cd "$root/shared/$include"
for header in ctfy/*.h; do
	strict=(-pedantic -Wall -Wextra -Werror -fsyntax-only -I.)
	echo "#include <$header>" | cc -x c -std=c17 "${strict[@]}" -
	echo "#include <$header>" | c++ -x c++ -std=c++17 "${strict[@]}" -
done
cat ctfy/*.h | tr '\n' ' ' | grep -o 'CTFY_API [^(]*' | grep -o 'ctfy_[a-z_]*$' | sort >"$root/promised"

cd "$root/shared/$lib"
nm -D --defined-only libctfy.so | awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' | sort >"$root/so"
nm -g --defined-only libctfy.a | awk 'NF == 3 { print $3 }' | sort >"$root/a"
diff "$root/promised" "$root/so"
diff "$root/promised" "$root/a"
nm -D --defined-only libctfy.so | awk '$2 != "T" && $2 != "A" { print "exported: " $0; bad = 1 }
	END { exit bad }'
readelf -d libctfy.so | grep -q 'SONAME.*\[libctfy.so.0\]'

cd "$root"
cp -r shared static
rm "static/$lib"/libctfy.so*
awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' "$readme" >program.c
cp program.c program.cc

flags() { # TREE [PKG-CONFIG-OPTION...]
	local tree=$root/$1
	shift
	PKG_CONFIG_SYSROOT_DIR=$tree PKG_CONFIG_LIBDIR=$tree/${pc%/*} pkg-config --cflags --libs "$@" libctfy
}
strict=(-pedantic -Wall -Wextra -Werror "$@")
read -ra shared < <(flags shared)
read -ra static < <(flags static --static)
cc -std=c17 "${strict[@]}" program.c "${shared[@]}" -o with-so
c++ -std=c++17 "${strict[@]}" program.cc "${shared[@]}" -o with-so-from-c++
cc -std=c17 "${strict[@]}" program.c "${static[@]}" -o with-a

readelf -d with-so | grep -q 'NEEDED.*libctfy'
if readelf -d with-a | grep 'NEEDED.*libctfy'; then
	exit 1
fi
for program in with-so with-so-from-c++ with-a; do
	test "$(LD_LIBRARY_PATH=$root/shared/$lib ./$program "$CTFY_PEER_URL" "$CTFY_PEER_TOKEN")" = \
		"3 of 20 instances run"
done
echo "$(wc -l <promised) functions"

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One archive that needs no other of ours, and shows no name but the promise's.
#
#	bundle.sh OUTPUT SDK-ARCHIVE ROOM-ARCHIVE...
#
# Everything of the first archive and what it needs of the others becomes one object, in which
# hidden names are local: a program's own err_set() stays its own.
set -eu

output=$1 sdk=$2
shift 2
object=${output%.a}.o
trap 'rm -f "$object"' EXIT

"${LD:-ld}" -r -o "$object" --whole-archive "$sdk" --no-whole-archive --start-group "$@" --end-group
"${OBJCOPY:-objcopy}" --localize-hidden "$object"
rm -f "$output"
"${AR:-ar}" rcsD "$output" "$object"

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds into a directory, which is set up first if it is new.
#
#	tools/build.sh DIR [MESON-OPTION...]
set -euo pipefail

(($#)) || { echo "usage: tools/build.sh DIR [MESON-OPTION...]" >&2; exit 2; }
dir=$1
shift
[[ -f $dir/build.ninja ]] || meson setup "$dir" "$@"
ninja -C "$dir"

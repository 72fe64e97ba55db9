#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What shellcheck says of the scripts: nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."

type -P shellcheck >/dev/null || { echo "shellcheck is not installed; run: tools/deps.sh lint"; exit 77; }
git -c safe.directory='*' grep -lE '^#!.*[ /](ba)?sh$' -- ':!challenges' | xargs shellcheck

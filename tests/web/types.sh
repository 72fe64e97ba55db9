#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The sources of the web interface are what TypeScript takes for sound.
set -euo pipefail
cd "$(dirname "$0")/../../web"

type -P npm >/dev/null || { echo "npm is not installed; run: tools/deps.sh build"; exit 77; }
./build.sh --packages
exec node_modules/.bin/tsc --noEmit

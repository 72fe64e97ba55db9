#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The C sources are as clang-format would have them; `make format` sees to it.
set -euo pipefail
cd "$(dirname "$0")/../.."

type -P clang-format >/dev/null || { echo "clang-format is not installed; run: tools/deps.sh lint"; exit 77; }
git -c safe.directory='*' ls-files -z --cached --others --exclude-standard '*.[ch]' |
	xargs -0 clang-format --dry-run -Werror

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each public header compiles alone, as C and as C++, with nothing but the standard in its way.
set -euo pipefail
cd "$(dirname "$0")/../../include"

warnings=(-pedantic-errors -Wall -Wextra -Werror -fsyntax-only)
for header in ctfy/*.h; do
	echo "$header"
	printf '#include <%s>\n' "$header" | gcc -I. -std=c99 "${warnings[@]}" -Wstrict-prototypes -xc -
	printf '#include <%s>\n' "$header" | g++ -I. -std=c++11 "${warnings[@]}" -xc++ -
done

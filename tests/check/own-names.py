#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""No program here has the name of one of Python's modules: it would be what its neighbours import.

A check called json.py was: summary.py ended in it, with 0, and counted nothing.
"""

import sys
from pathlib import Path

root = Path(__file__).parents[2]
programs = [path for folder in ("tests", "tools", "images") for path in (root / folder).rglob("*.py")]
found = [path for path in programs if path.stem in sys.stdlib_module_names]
for path in found:
    print(f"{path.relative_to(root)} has the name of a module of Python's")
sys.exit(bool(found) or not programs)

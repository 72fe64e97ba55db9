#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each test that a page of promises names is there."""

import re
import sys
from pathlib import Path

root = Path(__file__).parents[2]
pages = ["engine-boundary.md", "threat-model.md"]


def find_faults(page, tests):
    names = re.findall(r"`([a-z]+(?:_[a-z0-9]+){3,})`", page.read_text())
    if not names:
        yield f"{page.name} names no test"
    for name in names:
        if not re.search(rf"\b{name}\b", tests):
            yield f"{page.name}: there is no test '{name}'"


sources = "\n".join(path.read_text() for kind in ("*.c", "*.py")
                    for path in (root / "tests").rglob(kind))
found = [fault for name in pages for fault in find_faults(root / "docs" / name, sources)]
print("\n".join(found))
sys.exit(bool(found))

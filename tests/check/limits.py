#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each table that the platform writes to has a limit, which docs/security.md states as the sources have it."""

import re
import sys
from pathlib import Path

root = Path(__file__).parents[2]
platform = root / "src" / "platform"
page = root / "docs" / "security.md"


def read_sources():
    """All but the schema's own statements, which run once. Literals that follow each other are one."""
    text = "\n".join(path.read_text() for path in sorted(platform.glob("*.[ch]")) if path.name != "schema.c")
    return re.sub(r'"\s*\n\s*"', "", text)


def read_rows():
    """{table: limit} of the page's last table."""
    part = page.read_text().partition("## What is written down")[2]
    return {table: limit for table, limit in re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", part, re.M)}


def find_faults(sources, rows):
    written = set(re.findall(r"INSERT (?:OR \w+ )?INTO (\w+)", sources))
    if not written or not rows:
        yield "nothing is written, or nothing is stated: the patterns here are out of date"
    for table in sorted(written - set(rows)):
        yield f"docs/security.md doesn't say where '{table}' ends"
    for table in sorted(set(rows) - written):
        yield f"docs/security.md: nothing is written to '{table}'"
    for table, limit in rows.items():
        for name, value in re.findall(r"`([A-Z][A-Z_]+)` = ([\d,]+)", limit):
            if not re.search(rf"\b{name} = {value.replace(',', '')}\b", sources):
                yield f"docs/security.md: {table}: {name} isn't {value} in src/platform"


found = list(find_faults(read_sources(), read_rows()))
print("\n".join(found))
sys.exit(bool(found))

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the sources to the table of docs/ARCHITECTURE.md that says which room may include which.

A row is "room: allowed...". What is allowed is another room, one header of it, or include/ctfy.
"""

import re
import sys
from pathlib import Path

root = Path(__file__).parents[2]
promise = "include/ctfy"


def read_table():
    """{room: what it may include}, from the document's fenced block that begins with base."""
    document = (root / "docs/ARCHITECTURE.md").read_text()
    block = re.search(r"^```\n(base:.*?)^```", document, re.M | re.S)
    if not block:
        sys.exit("docs/ARCHITECTURE.md: no table of which room may include which")
    rows = re.findall(r"^([a-z]+):(.*)$", block[1], re.M)
    return {room: set(allowed.split()) for room, allowed in rows}


def list_includes(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*(?:"(.+)"|<(ctfy/.+)>)', line)
        if found:
            yield number, found[1] or found[2]


def is_allowed(header, room, allowed):
    where = header.split("/")[0]
    where = promise if where == "ctfy" else where
    return where == room or where in allowed or header in allowed


def check_room(room, folder, allowed):
    for path in sorted(folder.rglob("*.[ch]")):
        for number, header in list_includes(path):
            if not is_allowed(header, room, allowed):
                yield f'{path.relative_to(root)}:{number}: {room} may not include "{header}"'


table = read_table()
faults = list(check_room(promise, root / promise, set()))
for folder in sorted(path for path in (root / "src").iterdir() if path.is_dir()):
    if folder.name in table:
        faults += check_room(folder.name, folder, table[folder.name])
    else:
        faults.append(f"src/{folder.name}: the table of docs/ARCHITECTURE.md has no such room")
print("\n".join(faults))
sys.exit(bool(faults))

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Nothing makes JSON of texts but base/json: of bytes that aren't UTF-8 jansson makes nothing, and an answer is gone."""

import re
import sys
from pathlib import Path

root = Path(__file__).parents[2]

INSTEAD = {"json_pack": "json_make", "json_vpack_ex": "json_make", "json_string": "json_text",
           "json_sprintf": "json_textf", "json_vsprintf": "json_textf", "json_string_nocheck": "json_text",
           "json_stringn_nocheck": "json_text_n"}

# These ask whether bytes are text, and write others down in another way.
ASKING = {"flow/merge.c", "node/log-book.c", "http/websocket.c", "challenge/plan-json.c"}


def find_faults(path):
    name = str(path.relative_to(root / "src"))
    if name.startswith("base/json"):
        return
    for number, line in enumerate(path.read_text().splitlines(), 1):
        for word in re.findall(r"\b(json_\w+)\(", line):
            if word in INSTEAD:
                yield f"src/{name}:{number}: {word}() fails for texts of strangers: use {INSTEAD[word]}()"
            if word == "json_stringn" and name not in ASKING:
                yield f"src/{name}:{number}: json_stringn() fails for texts of strangers: use json_text_n()"


sources = [path for kind in ("*.c", "*.h") for path in sorted((root / "src").rglob(kind))]
found = [fault for path in sources for fault in find_faults(path)]
print("\n".join(found))
sys.exit(bool(found) or not sources)

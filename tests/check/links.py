#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each link of a Markdown page to a file of ours leads somewhere."""

import re
import subprocess
import sys
from pathlib import Path

root = Path(__file__).parents[2]


def find_faults(page):
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path = target.split("#")[0]
        if path and "://" not in path and not (page.parent / path).exists():
            yield f"{page.relative_to(root)}: '{target}' leads nowhere"


names = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "*.md"], cwd=root, text=True,
                       stdout=subprocess.PIPE, check=False).stdout.split()
if not names:
    print("not in a git work tree")
    sys.exit(77)
found = [fault for name in names if (root / name).exists() for fault in find_faults(root / name)]
print("\n".join(found))
sys.exit(bool(found))

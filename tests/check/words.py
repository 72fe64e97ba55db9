#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Nothing committed puts work off, or names this machine: its paths, its mirrors and registries."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse

root = Path(__file__).parents[2]
public = re.compile(r"(^|\.)(debian\.org|localhost)$")
put_off = r"\b(TOD[O]|FIXM[E]|XX[X])\b"


def run(*command):
    return subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, check=False).stdout


def list_hosts():
    """The mirrors and proxies that this machine is set up with, unless all the world knows them."""
    words = run("apt-get", "indextargets", "--format", "$(REPO_URI)").split()
    words += [value for name, value in os.environ.items() if name.lower().endswith("_proxy")]
    hosts = {urlparse(word).hostname for word in words if "://" in word} - {None}
    return {host for host in hosts if not public.search(host) and not host.startswith("127.")}


def list_files():
    names = run("git", "-c", "safe.directory=*", "ls-files", "-z").split("\0")
    return [name for name in names if name and (root / name).is_file()]


def find_faults(name, patterns):
    try:
        lines = (root / name).read_text().splitlines()
    except UnicodeDecodeError:
        return
    for number, line in enumerate(lines, 1):
        for pattern, why in patterns:
            if re.search(pattern, line):
                yield f"{name}:{number}: {why}: {line.strip()}"


paths = [root, root.parent / "shared", "/tmp/build-"]
patterns = [(put_off, "work put off"), (r'"resolved": "http', "a lock file with a registry in it")]
patterns += [(re.escape(str(path)), "a path of this machine") for path in paths]
patterns += [(re.escape(host), "a host of this machine's") for host in list_hosts()]

files = list_files()
if not files:
    print("not in a git work tree")
    sys.exit(77)
found = [fault for name in files if name != "tests/check/words.py"
         for fault in find_faults(name, patterns)]
print("\n".join(found))
sys.exit(bool(found))

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What is installed is built so that an error in it is hard to use: hardened.py FILE...

Each is position-independent, with its tables read-only before main (full RELRO), no executable stack, stack
protector and FORTIFY; and has no symbol for others but those that are meant.
"""

import os
import re
import subprocess
import sys

# Stands before the C library's for libmicrohttpd: see src/http/serve.c.
MEANT = {"ctfy": r"epoll_wait", "libctfy": r"ctfy_\w+|CTFY_\d+", "ctfy-relay": r"(?!)"}


def say(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def find_faults(path):
    dynamic = say("readelf", "-Wd", path)
    segments = say("readelf", "-Wl", path)
    symbols = say("readelf", "-Ws", path)
    flags = " ".join(re.findall(r"\((?:FLAGS|FLAGS_1)\).*", dynamic))
    if "DYN (" not in say("readelf", "-Wh", path):
        yield "is not position-independent"
    if not re.search(r"\bGNU_RELRO\b", segments):
        yield "has no RELRO"
    if not re.search(r"\b(BIND_NOW|NOW)\b", flags):
        yield "binds symbols when they are used, so that their table stays writable"
    if not re.search(r"\bGNU_STACK\b.* RW ", segments):
        yield "has an executable stack"
    if re.search(r"\bLOAD\b.* RWE ", segments):
        yield "has memory to write and to run"
    if "__stack_chk_fail" not in symbols:
        yield "has no stack protector"
    if not re.search(r"\b__\w+_chk\b", symbols):
        yield "has no FORTIFY"
    meant = MEANT[os.path.basename(path).split(".")[0]] # of a library, without its version
    # With a version of the C library's behind them are its own, copied: stderr, say.
    for name in re.findall(r"^\S+ \w (\S+)$", say("nm", "-D", "--defined-only", path), re.MULTILINE):
        if "@GLIBC" not in name and not re.fullmatch(meant, name.split("@")[0]):
            yield f"has '{name}' for others"


found = [f"{path} {fault}" for path in sys.argv[1:] for fault in find_faults(path)]
print("\n".join(found))
sys.exit(bool(found) or len(sys.argv) < 2)

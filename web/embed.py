#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Puts web/dist into C: the table of platform/web-assets.h, and all bytes in one file beside it.

    embed.py OUTPUT.c OUTPUT.bin

Brings web/dist up to date first. The assembler takes the bytes in, which costs no time.
"""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
dist = here / "dist"
types = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
forms = {"plain": "", "gzip": ".gz", "brotli": ".br"}

source = """#include "platform/web-assets.h"

__asm__(".pushsection .rodata\\n"
	"web_bytes:\\n"
	".incbin \\"%s\\"\\n"
	".popsection");
extern const unsigned char web_bytes[];

const struct web_asset web_assets[] = {
%s
	{ .name = NULL },
};
"""


def list_assets():
    yield dist / "index.html"
    for path in sorted((dist / "assets").iterdir()):
        if path.suffix in types:
            yield path


def describe(path, pool):
    """The file's row of the table; its bytes go to the end of the pool."""
    etag = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    row = [f'"{path.name}"', f'"{types[path.suffix]}"', f'"\\"{etag}\\""']
    for form, suffix in forms.items():
        content = Path(f"{path}{suffix}").read_bytes()
        row.append(f".{form} = {{ web_bytes + {len(pool)}, {len(content)} }}")
        pool += content
    return "\t{ " + ", ".join(row) + " },"


def write_if_changed(path, content):
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)


def main(output, pool_file):
    subprocess.run([here / "build.sh"], check=True)
    pool = bytearray()
    with open(here / ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rows = "\n".join(describe(path, pool) for path in list_assets())
    write_if_changed(pool_file, bytes(pool))
    write_if_changed(output, (source % (pool_file.resolve(), rows)).encode())


try:
    main(Path(sys.argv[1]), Path(sys.argv[2]))
except subprocess.CalledProcessError as error:
    sys.exit(error.returncode)

#!/usr/bin/python3
"""Writes the C source that has all of web/dist in it: the table of platform/web-assets.h.

    embed.py OUTPUT.c

Brings web/dist up to date first. The files go in by the assembler, which takes no time.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
dist = here / "dist"
types = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
forms = {"plain": "", "gzip": ".gz", "brotli": ".br"}

prologue = """#include "platform/web-assets.h"

#define FILE_IN(symbol, path) \\
	__asm__(".pushsection .rodata\\n" #symbol ":\\n.incbin \\"" path "\\"\\n" #symbol "_end:\\n.popsection"); \\
	extern const unsigned char symbol[], symbol##_end[]

"""


def list_assets():
    yield dist / "index.html"
    for path in sorted((dist / "assets").iterdir()):
        if path.suffix in types:
            yield path


def describe(number, path):
    """The files' declarations, and the row of the table."""
    etag = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    files = [f'FILE_IN(web_{number}_{form}, "{path}{suffix}");' for form, suffix in forms.items()]
    sizes = ", ".join(f".{form} = {{ web_{number}_{form}, {Path(f'{path}{suffix}').stat().st_size} }}"
                      for form, suffix in forms.items())
    return "\n".join(files), f'\t{{ "{path.name}", "{types[path.suffix]}", "\\"{etag}\\"", {sizes} }},'


def main(output):
    subprocess.run([here / "build.sh"], check=True)
    rows = [describe(number, path) for number, path in enumerate(list_assets())]
    text = prologue + "\n".join(files for files, _ in rows) + "\n\nconst struct web_asset web_assets[] = {\n"
    text += "\n".join(row for _, row in rows) + "\n\t{ .name = NULL },\n};\n"
    if not output.exists() or output.read_text() != text:
        output.write_text(text)


try:
    main(Path(sys.argv[1]))
except subprocess.CalledProcessError as error:
    sys.exit(error.returncode)

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Holds docs/sdk to the headers, and its examples to what they say they print.

    docs.py HEADERS DOCS LIBRARY-DIRECTORY [CFLAG...]

Every exported function has a page of its name, and every page a function; its synopsis is the
header's declaration; its example compiles without a warning, runs against the peer that
with-peer.py serves, succeeds, and prints what the page says.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

SECTIONS = ["Synopsis", "Description", "Errors", "Ownership", "Example"]
FLAGS = ["-std=c17", "-pedantic", "-Wall", "-Wextra", "-Werror"]


def words(code):
    return re.findall(r"\w+|[^\w\s]", code)


def declarations(headers):
    """{function: (header, its declaration)}"""
    found = {}
    for header in sorted(headers.glob("ctfy/*.h")):
        for code in re.findall(r"^CTFY_API ([^;]*;)", header.read_text(), re.M):
            found[re.search(r"(ctfy_\w+)\(", code)[1]] = (f"ctfy/{header.name}", code)
    return found


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def check_words(name, text, header, declaration):
    title = re.match(r"# (.*)\n", text)[1]
    sections = re.findall(r"^## (.*)$", text, re.M)
    assert title == name, f"is called {title}"
    assert sections == SECTIONS, f"has the sections {sections}"
    assert words(blocks(text, "c")[0]) == words(f"#include <{header}>\n{declaration}"), \
        f"its synopsis is not the header's:\n{declaration}"


def run_example(text, headers, libraries, cflags):
    example, prints = blocks(text, "c")[-1], blocks(text, "text")[-1]
    with tempfile.TemporaryDirectory() as directory:
        pathlib.Path(directory, "example.c").write_text(example)
        subprocess.run([os.environ.get("CC", "cc"), *FLAGS, *cflags, f"-I{headers}", "-o",
                        "example", "example.c", f"-L{libraries}", "-lctfy"],
                       cwd=directory, check=True)
        run = subprocess.run(["./example", os.environ["CTFY_PEER_URL"],
                              os.environ["CTFY_PEER_TOKEN"]],
                             env=dict(os.environ, LD_LIBRARY_PATH=libraries),
                             cwd=directory, stdout=subprocess.PIPE, check=True)
    printed = run.stdout.decode().replace("\r", "")
    assert printed == prints, f"prints:\n{printed}"


def main():
    headers, docs, libraries = (pathlib.Path(p).resolve() for p in sys.argv[1:4])
    functions = declarations(headers)
    pages = {path.stem: path.read_text() for path in docs.glob("*.md")}
    index = pages["README"]
    failures = [f"{name}: no page" for name in functions.keys() - pages.keys()]
    failures += [f"{name}: no such function" for name in pages.keys() - functions.keys()
                 if name != "README"]
    failures += [f"{name}: not in README.md" for name in functions if f"({name}.md)" not in index]

    for name, text in sorted(pages.items()):
        try:
            if name in functions:
                check_words(name, text, *functions[name])
            run_example(text, headers, libraries, sys.argv[4:])
        except (AssertionError, IndexError, subprocess.CalledProcessError) as fault:
            failures.append(f"{name}: {fault}")
    print("\n".join(failures) or f"{len(pages)} pages, every example ran")
    return 1 if failures else 0


sys.exit(main())

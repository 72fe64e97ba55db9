# SPDX-License-Identifier: Apache-2.0
"""Others' servers, run for a test: Node.js programs of this folder that tell their port and listen to
what they are told."""

import os
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).parent


class Peer:
    def __init__(self, program, *args):
        self.process = subprocess.Popen(["node", HERE / program, *map(str, args)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.read("listening on port ").rsplit(" ", 1)[1])

    def read(self, beginning):
        line = self.process.stdout.readline()
        if not line.startswith(beginning):
            raise AssertionError(f"'{beginning}' expected, not '{line}'")
        return line.strip()

    def tell(self, word):
        """It has heard it when this returns."""
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        self.read(word)

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


def require(program):
    if shutil.which(program):
        return
    problem = f"{program} is not installed; run: tools/deps.sh build"
    if os.environ.get("CI"):
        sys.exit(problem)
    print(f"skipped: {problem}")
    sys.exit(77)


def main():
    require("node")
    require("npm")
    subprocess.run([HERE / "packages.sh"], check=True)
    unittest.main(verbosity=2)

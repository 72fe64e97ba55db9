#!/usr/bin/python3
"""The web interface as people use it: `ctfy up`, and all.mjs drives Chromium against it."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "node"))
sys.path.insert(0, str(HERE.parent / "e2e"))
sys.dont_write_bytecode = True

import harness  # noqa: E402

Up = importlib.import_module("main-job").Up


def require(program, group):
    if shutil.which(program):
        return
    problem = f"{program} is not installed; run: tools/deps.sh {group}"
    if os.environ.get("CI"):
        sys.exit(problem)
    print(f"skipped: {problem}")
    sys.exit(77)


def main():
    up = Up()
    try:
        return subprocess.run(
            ["node", HERE / "all.mjs"], check=False,
            env={**os.environ, "CTFY_URL": up.url, "CTFY_STATE": str(Path(up.dir.name) / "state"),
                 "CTFY_SHOTS": os.environ.get("CTFY_SHOTS", str(ROOT / "build/tests/web/shots"))}).returncode
    finally:
        up.close()


if __name__ == "__main__":
    require("node", "build")
    require("npm", "build")
    require("chromium", "test")
    harness.require_engine()
    subprocess.run([ROOT / "web/build.sh", "--packages"], check=True)
    sys.exit(main())

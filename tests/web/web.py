#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The web interface as people use it: `ctfy up`, and all.mjs drives Chromium against it."""

import importlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "node"))
sys.path.insert(0, str(HERE.parent / "e2e"))
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

import harness  # noqa: E402
import relay  # noqa: E402

main_job = importlib.import_module("main-job")


def require(program, group):
    if shutil.which(program):
        return
    problem = f"{program} is not installed; run: tools/deps.sh {group}"
    if os.environ.get("CI"):
        sys.exit(problem)
    print(f"skipped: {problem}")
    sys.exit(77)


def gather_challenges(folder):
    """The samples, and what only these tests want."""
    for source in (ROOT / "challenges", HERE / "challenges"):
        shutil.copytree(source, folder, dirs_exist_ok=True)


def open_door(path, port):
    """A way to the platform for chromium.py, which sees none of our networks."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    relay.serve(listener, lambda: socket.create_connection(("127.0.0.1", port)))


def main(challenges):
    main_job.SAMPLES = challenges
    up = main_job.Up()
    state = Path(up.dir.name)
    try:
        open_door(state / "door", up.port)
        environment = {**os.environ, "CTFY_URL": up.url, "CTFY_STATE": str(state / "state"),
                       "CTFY_DOOR": str(state / "door")}
        environment.setdefault("CTFY_SHOTS", str(ROOT / "build/tests/web/shots"))
        return subprocess.run(["node", HERE / "all.mjs", *sys.argv[1:]], env=environment, check=False).returncode
    finally:
        up.close()


if __name__ == "__main__":
    require("node", "build")
    require("npm", "build")
    require("chromium", "test")
    harness.require_engine()
    subprocess.run([ROOT / "web/build.sh", "--packages"], check=True)
    with tempfile.TemporaryDirectory(prefix="ctfy-web-") as folder:
        gather_challenges(folder)
        sys.exit(main(folder))

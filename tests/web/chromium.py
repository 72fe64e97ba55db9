#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Chromium in a network of its own that has nothing in it but the platform's port.

Outside of it the engine's bridges come and go, and at each of them Chromium drops its connections
(ERR_NETWORK_CHANGED). Inside, whatever the page asked of any other host would fail.

CTFY_URL is where the platform is to be found inside, CTFY_DOOR the Unix socket that leads to it.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))

import relay  # noqa: E402

INSIDE = "--in-a-network-of-its-own"
PIPES = (3, 4)  # of Playwright's protocol


def enter_door():
    door = socket.socket(socket.AF_UNIX)
    door.connect(os.environ["CTFY_DOOR"])
    return door


def main(arguments):
    if arguments[:1] != [INSIDE]:
        os.execvp("unshare", ["unshare", "--map-root-user", "--net", sys.executable, __file__, INSIDE, *arguments])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    url = urlparse(os.environ["CTFY_URL"])
    relay.serve(socket.create_server((url.hostname, url.port)), enter_door)
    return subprocess.run(["chromium", *arguments[1:]], pass_fds=PIPES, check=False).returncode


sys.exit(main(sys.argv[1:]))

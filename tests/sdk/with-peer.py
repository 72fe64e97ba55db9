#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a program while peer.py serves: with-peer.py PROGRAM [ARG...]

The program finds it by CTFY_PEER_URL and CTFY_PEER_TOKEN. Its exit status is ours.
"""

import os
import socket
import subprocess
import sys
import threading
import time

import uvicorn

import peer


class Server(uvicorn.Server):
    def install_signal_handlers(self):
        pass  # not in the main thread


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(uvicorn.Config(peer.app, log_level="critical"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    env = dict(os.environ, CTFY_PEER_TOKEN=peer.TOKEN,
               CTFY_PEER_URL="http://127.0.0.1:%d" % listener.getsockname()[1])
    try:
        return subprocess.run(sys.argv[1:], env=env).returncode
    finally:
        server.should_exit = True
        thread.join()


sys.exit(main())

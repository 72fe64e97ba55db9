# SPDX-License-Identifier: Apache-2.0
"""Passes connections on: what comes to one socket goes to another, and back."""

import socket
import threading


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            end.close()


def serve(listener, connect):
    """Begins; connect() makes the other end of each connection."""
    def accept():
        while True:
            client, _ = listener.accept()
            server = connect()
            for ends in ((client, server), (server, client)):
                threading.Thread(target=pump, args=ends, daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()

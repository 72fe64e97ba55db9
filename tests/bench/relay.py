#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a hop by ctfy-relay costs, on loopback: relay.py BUILD-DIR [ROUNDS].

The same server is asked directly, by a bare hop that records nothing (splice() alone), and by one that
records, in turns: 100 MB down and up, the median of 2,000 small requests on one connection, requests in a
second by eight connections, and the recording relay's memory at its most.
"""

import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

BUILD = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2] / "build").absolute()
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 9
SIZE = 100 << 20
SMALL = b"GET /small HTTP/1.1\r\nHost: bench\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsmall"


def serve(sock, blob):
    """Large answers come out of a file; what is sent is counted."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while head := sock.recv(65536):
        if head.startswith(b"GET /long"):
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
            sock.sendfile(blob, 0, SIZE)
        elif head.startswith(b"POST"):
            left = SIZE - len(head.partition(b"\r\n\r\n")[2])
            while left:
                left -= len(sock.recv(min(left, 1 << 20)))
            sock.sendall(ANSWER)
        else:
            sock.sendall(ANSWER)


def serve_until_left(sock, blob):
    try:
        serve(sock, blob)
    except ConnectionError:
        pass # wrk leaves so


def server_main(listener, path):
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=serve_until_left, args=(sock, open(path, "rb")), daemon=True).start()


def start_server(path):
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    pid = os.fork()
    if pid == 0:
        server_main(listener, path)
    return pid, listener.getsockname()[1]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


class Hop:
    def __init__(self, port, *options):
        self.port = free_port()
        self.process = subprocess.Popen([BUILD / "src/relay/image/ctfy-relay", *options, f"{self.port}=127.0.0.1:{port}"],
                                        stderr=subprocess.DEVNULL)
        for _ in range(500):
            try:
                connect(self.port).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.01)
        raise SystemExit("the relay does not listen")

    def most_memory(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024

    def close(self):
        self.process.terminate()
        self.process.wait()


def connect(port):
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def timed(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def down(port, buffer=bytearray(1 << 20)):
    with connect(port) as sock:
        sock.sendall(b"GET /long HTTP/1.1\r\nHost: bench\r\n\r\n")
        left = SIZE
        while left > 0:
            left -= sock.recv_into(buffer)


def up(port, blob):
    with connect(port) as sock:
        sock.sendall(b"POST /up HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n" % SIZE)
        sock.sendfile(blob, 0, SIZE)
        assert sock.recv(65536) == ANSWER


def small(port, count=2000):
    """The median of single requests, in ms."""
    with connect(port) as sock:
        def ask():
            sock.sendall(SMALL)
            sock.recv(65536)
        return statistics.median(timed(ask) for _ in range(count)) * 1000


def rate(port):
    """In a second, by wrk."""
    text = subprocess.run(["wrk", "-t1", "-c8", "-d2", f"http://127.0.0.1:{port}/small"],
                          capture_output=True, text=True, check=True).stdout
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])


def compare(name, unit, measure, ways):
    turns = [[measure(port) for port in ways.values()] for _ in range(ROUNDS + 1)][1:]
    told = [f"{way} {statistics.median(turn[i] for turn in turns):.4g} {unit}" for i, way in enumerate(ways)]
    ratio = statistics.median(turn[2] / turn[1] for turn in turns)
    print(f"{name:15} {', '.join(told)}; recorded to bare {ratio:.2f}", flush=True)


def main():
    with tempfile.TemporaryDirectory(prefix="ctfy-relay-") as folder:
        path = os.path.join(folder, "blob")
        with open(path, "wb") as file:
            file.write(os.urandom(SIZE))
        pid, port = start_server(path)
        bare, recording = Hop(port), Hop(port, "--flows", os.path.join(folder, "flows.jsonl"))
        ways = {"direct": port, "bare": bare.port, "recorded": recording.port}
        try:
            with open(path, "rb") as blob:
                compare("100 MB down", "s", lambda at: timed(lambda: down(at)), ways)
                compare("100 MB up", "s", lambda at: timed(lambda: up(at, blob)), ways)
            compare("small request", "ms", small, ways)
            compare("requests", "/s", rate, ways)
            print(f"{'memory':15} recorded {recording.most_memory():.1f} MiB at its most")
        finally:
            bare.close()
            recording.close()
            os.kill(pid, 15)


main()

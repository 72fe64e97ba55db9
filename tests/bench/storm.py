#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A crowd for a platform: storm.py BUILD-DIR NAME=NUMBER...

Runs a platform of its own and the program storm (storm.c tells the names) beside it, holds what was
promised against what nodes saw, and prints what it cost. Fails where an instance was lost, doubled or
left, or a listener wasn't told.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))

import platform_store  # noqa: E402

CHALLENGES, TEAMS = 20, 5000
TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_port(port):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit("storm: the platform doesn't answer")


def write_challenges(folder):
    for number in range(CHALLENGES):
        path = Path(folder, f"storm-{number}")
        path.mkdir(parents=True)
        path.joinpath("challenge.yml").write_text(
            f"name: Storm {number}\ncategory: bench\nvalue: 100\nquestions:\n  - id: flag\n    answer: flag{{...}}\n")
        path.joinpath("compose.yml").write_text("services:\n  web:\n    image: busybox\n    ports: ['80']\n")


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Platform:
    """As a process, on a store with accounts and teams."""

    def __init__(self, build, folder):
        self.state, self.challenges = Path(folder, "state"), Path(folder, "challenges")
        self.build, self.log = build, Path(folder, "log")
        write_challenges(self.challenges)
        self.begin()
        self.end()
        platform_store.fill_accounts(self.state / "platform.db", TEAMS)
        self.begin()

    def begin(self):
        self.port = free_port()
        self.process = subprocess.Popen(
            [self.build / "ctfy", "platform", "--state", self.state, "--challenges", self.challenges,
             "--listen", f"127.0.0.1:{self.port}"], stderr=self.log.open("ab"))
        wait_port(self.port)

    def end(self):
        self.process.terminate()
        self.process.wait()

    def status(self, name):
        return int(re.search(rf"^{name}:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text(), re.M)[1])

    def private_mb(self):
        return self.status("RssAnon") / 1024

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def wal_mb(self):
        return (self.state / "platform.db-wal").stat().st_size / 1e6


def measure(build, settle=6, **wishes):
    """What storm says, and {"platform": what the platform took meanwhile}; settle is how long to wait before."""
    build = Path(build).absolute()
    words = [f"{name}={number}" for name, number in wishes.items()]
    with tempfile.TemporaryDirectory() as folder:
        platform = Platform(build, folder)
        before_mb = platform.private_mb()
        storm = subprocess.Popen([build / "tests/bench/storm", str(platform.port), platform.state, *words],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            if storm.stdout.readline() != "ready\n":
                sys.exit(f"storm: it didn't begin; the platform says:\n{platform.log.read_text()[-2000:]}")
            time.sleep(settle)
            cpu, began = cpu_seconds(platform.process.pid), time.monotonic()
            ready_mb, threads = platform.private_mb(), platform.status("Threads")
            files = platform.files()
            storm.stdin.write("go\n")
            storm.stdin.flush()
            out = storm.stdout.readline()
            took = time.monotonic() - began
            if not out:
                sys.exit(f"storm: it failed; the platform says:\n{platform.log.read_text()[-2000:]}")
            result = json.loads(out)
            result["platform"] = {
                "cpu_percent": 100 * (cpu_seconds(platform.process.pid) - cpu) / took, "seconds": took,
                "threads": threads, "files": files, "threads_after": platform.status("Threads"),
                "mb_empty": before_mb, "mb_ready": ready_mb, "mb_after": platform.private_mb(),
                "wal_mb": platform.wal_mb()}
            result["crowd_cpu_percent"] = 100 * cpu_seconds(storm.pid) / took
            return result
        finally:
            platform.end()
            storm.stdin.close()
            storm.wait()


def faults(result, listeners=0, stuck=0, **_):
    """What must not be, in words."""
    players, nodes, ears = result["players"], result["nodes"], result["listeners"]
    if players["refused"]:
        yield f"{players['refused']} calls were refused"
    if not players["started"] == players["ran"] == players["solved"] == players["stopped"] == nodes["instances"]:
        yield f"starts were lost: {players} {nodes}"
    if nodes["doubles"] or nodes["copies"] != nodes["instances"]:
        yield f"instances were started twice: {nodes}"
    if nodes["live"]:
        yield f"{nodes['live']} instances are left"
    if ears["lost"] > stuck:
        yield f"{ears['lost']} of {listeners} listeners were cut off"
    if listeners and not 0 < ears["notices"]["whole"] == ears["notices"]["count"]:
        yield f"listeners weren't told: {ears}"


def run(build, **wishes):
    """As measure(); ends the program where something was lost, doubled or left."""
    result = measure(build, **wishes)
    found = list(faults(result, **wishes))
    if found:
        sys.exit("\n".join(f"storm: {fault}" for fault in found))
    return result


def main():
    build, *words = sys.argv[1:]
    print(json.dumps(run(build, **{name: int(number) for name, number in (word.split("=") for word in words)})))


if __name__ == "__main__":
    main()

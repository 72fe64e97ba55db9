#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The figures of docs/BENCHMARKS.md: bench.py BUILD-DIR [PART]...

Parts: health, start, busy, client, platform, storm, heartbeat, listeners, relay. A storm takes a minute;
STORM_SECONDS=300 is the whole of it.

Each part puts ctfy beside what it is measured against, in one run, in turns, so that both see the
same machine. Medians of the turns are what is printed.
"""

import os
import re
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILD = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").absolute()
os.environ["CTFY"] = str(BUILD / "ctfy")
sys.path.insert(0, str(HERE.parent / "node"))
sys.dont_write_bytecode = True

import floor  # noqa: E402
import harness  # noqa: E402
import platform_store  # noqa: E402
import storm  # noqa: E402

SAMPLES = str(ROOT / "challenges")
PYTHON = "/usr/bin/python3"  # Debian's, which has FastAPI
HEALTH = "/api/v1/health"


def print_table(title, heads, rows):
    print(f"\n{title}")
    first = max(len(row[0]) for row in rows)
    widths = [max(len(head) + 3, 12) for head in heads]
    for name, *cells in [("", *heads), *rows]:
        print(f"  {name:<{first}}" + "".join(f"{c:>{w}}" for c, w in zip(cells, widths)))


def print_goal(words, value, goal, holds):
    print(f"  {words}: {value:.2f} (goal {goal}: {'met' if holds else 'not met'})", flush=True)


def median(values):
    return statistics.median(values)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_port(port):
    def connects():
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", port)) == 0
    harness.wait_for(connects, 20, f"something that listens on port {port}")


def memory_mb(pid):
    """(resident, and what of it is no other process's to share), of the process and its children."""
    status = Path(f"/proc/{pid}/status").read_text()
    total, private = (int(re.search(rf"{row}:\s+(\d+) kB", status)[1]) / 1024
                      for row in ("VmRSS", "RssAnon"))
    children = subprocess.run(["pgrep", "-P", str(pid)], stdout=subprocess.PIPE, text=True,
                              check=False).stdout.split()
    below = [memory_mb(child) for child in children]
    return total + sum(row[0] for row in below), private + sum(row[1] for row in below)


class Wrk:
    """wrk at GET /health, with the token."""

    def __init__(self, port, token, connections, seconds, *options):
        self.process = subprocess.Popen(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *options,
             "-H", f"Authorization: Bearer {token}", f"http://127.0.0.1:{port}{HEALTH}"],
            stdout=subprocess.PIPE, text=True)

    def end(self):
        self.process.send_signal(signal.SIGINT)
        return self.result()

    def result(self):
        """(requests a second, {percentile: ms})"""
        text = self.process.communicate()[0]
        if "Non-2xx" in text or "Socket errors" in text or "Requests/sec" not in text:
            sys.exit(f"bench: wrk says\n{text}")
        unit = {"us": 0.001, "ms": 1, "s": 1000}
        rows = re.findall(r"^\s+(\d+)%\s+([\d.]+)(us|ms|s)$", text, re.M)
        return (float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),
                {int(percent): float(value) * unit[name] for percent, value, name in rows})


# --- (a) requests of health -------------------------------------------------------------------


class Uvicorn:
    def __init__(self, *options):
        self.port, self.token = free_port(), secrets.token_hex(16)
        self.process = subprocess.Popen(
            [PYTHON, "-m", "uvicorn", "--port", str(self.port), "--no-access-log", "--log-level",
             "warning", *options, "fastapi_peer:app"], cwd=HERE,
            env={**os.environ, "TOKEN": self.token, "PYTHONDONTWRITEBYTECODE": "1"})
        wait_port(self.port)

    def close(self):
        self.process.terminate()
        self.process.wait()


def bench_health(turns=3, seconds=6, connections=32):
    servers = {
        "ctfy node": harness.Node(challenges=SAMPLES),
        "uvicorn": Uvicorn("--loop", "asyncio", "--http", "h11"),
        "uvicorn, uvloop, httptools": Uvicorn("--loop", "uvloop", "--http", "httptools"),
    }
    rates = {name: [] for name in servers}
    p99s = {name: [] for name in servers}
    for _ in range(turns):
        for name, server in servers.items():
            rate, latency = Wrk(server.port, server.token, connections, seconds).result()
            rates[name].append(rate)
            p99s[name].append(latency[99])
    memory = {name: memory_mb(server.process.pid) for name, server in servers.items()}
    for server in servers.values():
        server.close()

    print_table(f"GET {HEALTH}, {connections} connections, {turns} turns of {seconds} s",
                ["requests/s", "p99 ms", "RSS MB", "private MB"],
                [(name, f"{median(rates[name]):,.0f}", f"{median(p99s[name]):.2f}",
                  f"{memory[name][0]:.1f}", f"{memory[name][1]:.1f}") for name in servers])
    ours, *others = servers
    for other in others:
        ratio = median(rates[ours]) / median(rates[other])
        print_goal(f"requests, times those of {other}", ratio, "10", ratio >= 10)
        for i, kind in enumerate(("RSS", "private memory")):
            ratio = memory[ours][i] / memory[other][i]
            print_goal(f"{kind}, times that of {other}", ratio, "0.17", ratio <= 1 / 6)


# --- (b) starting an instance -----------------------------------------------------------------


class Compose:
    """docker-compose, with its images built beforehand."""

    def __init__(self, folder):
        self.folder = folder
        self.run("build", "-q")

    def run(self, *args):
        subprocess.run(["/usr/bin/docker-compose", "-p", "ctfybench", *args], cwd=self.folder,
                       env={**os.environ, "FLAG": "flag{bench}"}, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def up(self):
        self.run("up", "-d")

    def down(self):
        self.run("down", "-t", "0")


class Instance:
    """notes-web by POST /instances and DELETE."""

    def __init__(self, node):
        self.node, self.row = node, None

    def up(self):
        self.row, _ = self.node.begin("notes-web")

    def down(self):
        self.node.stop(self.row["instance_id"])

    def check(self):
        states = [seen["State"]["Status"] for seen in
                  self.node.containers(self.row["instance_id"]).values()]
        if states != ["running"] * 2:
            sys.exit(f"bench: the node said 201, and its containers are {states}")


def bench_start(turns=15):
    node = harness.Node(challenges=SAMPLES)
    instance = Instance(node)
    instance.up()  # builds what is not there yet
    instance.check()
    by_hand = floor.Floor(f"{harness.LABEL_INSTANCE}={instance.row['instance_id']}", [["store"], ["web"]])
    instance.down()
    ways = {"the engine calls by hand": by_hand, "ctfy": instance,
            "docker-compose up -d": Compose(ROOT / "challenges/notes-web")}
    times = {name: [] for name in ways}
    for _ in range(turns):
        for name, way in ways.items():
            began = time.monotonic()
            way.up()
            times[name].append(1000 * (time.monotonic() - began))
            way.down()
    node.close()

    least = median(times["the engine calls by hand"])
    print_table(f"notes-web, two containers on a network, until both run; {turns} turns, images warm",
                ["median ms", "fastest", "slowest", "x by hand"],
                [(name, f"{median(took):.0f}", f"{min(took):.0f}", f"{max(took):.0f}",
                  f"{median(took) / least:.2f}") for name, took in times.items()])
    ratio = median(times["ctfy"]) / least
    print_goal("ctfy, times the calls by hand", ratio, "1.15", ratio <= 1.15)


# --- (c) a call of the client -----------------------------------------------------------------


def microseconds(program, node, calls):
    """{name: (wall, processor)} per call, as the program says it."""
    run = subprocess.run([*program, f"http://127.0.0.1:{node.port}", node.token, str(calls)],
                         stdout=subprocess.PIPE, text=True, check=True)
    rows = (line.split() for line in run.stdout.splitlines())
    return {name: (float(wall), float(cpu)) for name, wall, cpu in rows}


def bench_client(turns=5):
    node = harness.Node(challenges=SAMPLES)
    seen = {}
    for _ in range(turns):
        took = {**microseconds([str(BUILD / "tests/sdk/bench-client")], node, 10000),
                **microseconds([PYTHON, str(HERE / "httpx_peer.py")], node, 1000)}
        for name, pair in took.items():
            seen.setdefault(name, []).append(pair)
    node.close()

    names = {"raw": "libcurl alone", "sdk": "the C node client", "httpx": "Python httpx"}
    costs = {name: [median(column) for column in zip(*pairs)] for name, pairs in seen.items()}
    print_table(f"the same GET {HEALTH} over one connection, {turns} turns",
                ["us per call", "CPU us", "x libcurl"],
                [(words, f"{costs[name][0]:.1f}", f"{costs[name][1]:.1f}",
                  f"{costs[name][0] / costs['raw'][0]:.2f}") for name, words in names.items()])
    ratio = median([wall for wall, _ in seen["ratio"]])
    print_goal("the C node client, times libcurl in the turn beside it", ratio, "1.1", ratio <= 1.1)


# --- (d) health while instances start ---------------------------------------------------------


def bench_busy(instances=20, connections=4):
    node = harness.Node(challenges=SAMPLES, capacity=instances)
    node.stop(node.begin("notes-web")[0]["instance_id"])
    wrk = Wrk(node.port, node.token, connections, 600, "-s", str(HERE / "pace.lua"))
    began = time.monotonic()
    with ThreadPoolExecutor(instances) as pool:
        replies = list(pool.map(lambda _: node.post(node.spec("notes-web"), timeout=300), range(instances)))
    took = time.monotonic() - began
    rate, latency = wrk.end()
    failed = [reply for reply in replies if reply.status != 201]
    node.close()
    if failed:
        sys.exit(f"bench: {len(failed)} of {instances} starts failed: {failed[0]}")

    print_table(f"GET {HEALTH} while {instances} instances of notes-web start at once",
                ["requests/s", "p50 ms", "p99 ms", "all started, s"],
                [("ctfy node", f"{rate:.0f}", f"{latency[50]:.2f}", f"{latency[99]:.2f}", f"{took:.1f}")])
    print_goal("p99 in ms", latency[99], "50", latency[99] < 50)


# --- (e) the platform, late in a large event --------------------------------------------------


def wrk_result(text):
    """(requests a second, p99 ms) of what wrk printed. Slow answers are counted, refused ones are not."""
    failed = re.search(r"Non-2xx|Socket errors: (?!connect 0, read 0, write 0,)", text)
    if failed or "Requests/sec" not in text:
        sys.exit(f"bench: wrk says\n{text}")
    unit = {"us": 0.001, "ms": 1, "s": 1000}
    value, name = re.search(r"^\s+99%\s+([\d.]+)(us|ms|s)\s*$", text, re.M).groups()
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), float(value) * unit[name]


def etag_of(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/scoreboard") as answer:
        return answer.headers["ETag"]


class LargeEvent:
    """A server on a store of its own, filled."""

    def __init__(self, folder, command, env=None):
        self.port = free_port()
        self.process = subprocess.Popen([word.format(port=self.port) for word in command], cwd=HERE,
                                        stderr=open(Path(folder, "log"), "wb"), env=env)
        wait_port(self.port)

    def wrk(self, path, connections, *options, seconds=5):
        return wrk_result(subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *options,
             f"http://127.0.0.1:{self.port}/api/v1{path}"],
            cwd=HERE, stdout=subprocess.PIPE, text=True, check=True).stdout)

    def measure(self):
        yield "scoreboard, 304", self.wrk("/scoreboard", 64, "-H", f"If-None-Match: {etag_of(self.port)}")
        yield "scoreboard, 1.3 MB", self.wrk("/scoreboard", 16)
        yield "challenges of a team", self.wrk("/challenges", 64, "-s", "teams.lua")
        yield "an answer, durable", self.wrk("/", 128, "-s", "submit.lua")

    def close(self):
        self.process.terminate()
        self.process.wait()


def fill_platform(folder):
    """A platform's state with the event in it, and the command that serves it."""
    challenges, state = Path(folder, "challenges"), Path(folder, "state")
    platform_store.write_challenges(challenges)
    command = [str(BUILD / "ctfy"), "platform", "--state", str(state), "--challenges", str(challenges),
               "--listen", "127.0.0.1:{port}"]
    LargeEvent(folder, command).close()
    platform_store.fill(state / "platform.db")
    return command


def bench_platform():
    with tempfile.TemporaryDirectory() as folder:
        command = fill_platform(folder)
        copy = Path(folder, "peer.db")
        shutil.copy(Path(folder, "state/platform.db"), copy)
        peer = [PYTHON, "-m", "uvicorn", "--port", "{port}", "--no-access-log", "--log-level", "warning", "--loop",
                "uvloop", "--http", "httptools", "fastapi_platform:app"]
        results = {}
        for name, words in (("ctfy", command), ("FastAPI and SQLite", peer)):
            server = LargeEvent(folder, words, {**os.environ, "STORE": str(copy), "PYTHONDONTWRITEBYTECODE": "1"})
            results[name] = dict(server.measure())
            server.close()

    rows = [(f"{call}: {name}", f"{rate:,.0f}", f"{p99:.1f}")
            for call in results["ctfy"] for name, (rate, p99) in ((n, r[call]) for n, r in results.items())]
    print_table(f"{platform_store.TEAMS:,} teams, {platform_store.CHALLENGES} challenges, "
                f"{platform_store.SUBMISSIONS:,} submissions in the store", ["requests/s", "p99 ms"], rows)
    ours = results["ctfy"]
    print_goal("scoreboard reads a second", ours["scoreboard, 304"][0], "20000",
               ours["scoreboard, 304"][0] >= 20000)
    print_goal("answers a second", ours["an answer, durable"][0], "2000", ours["an answer, durable"][0] >= 2000)


# --- (f) a crowd, hundreds of nodes, thousands of listeners ------------------------------------


def bench_storm():
    seconds = int(os.environ.get("STORM_SECONDS", "60"))
    result = storm.run(BUILD, nodes=100, players=2000, listeners=2000, stuck=10, seconds=seconds)
    players, platform = result["players"], result["platform"]
    print_table(f"2,000 players, 2,000 listeners, 100 scripted nodes, {seconds} s: {players['started']:,} starts, "
                "none lost, none double, none left", ["calls", "p50 ms", "p99 ms", "longest"],
                [(name, f"{count:,}", f"{p50:.1f}", f"{p99:.1f}", f"{longest:.1f}")
                 for name, (count, p50, p99, longest) in players["times"].items()])
    print_table("the platform meanwhile", ["CPU %", "private MB", "before", "WAL MB"],
                [("ctfy", f"{platform['cpu_percent']:.0f}", f"{platform['mb_after']:.0f}",
                  f"{platform['mb_ready']:.0f}", f"{platform['wal_mb']:.1f}")])
    print(f"  the crowd itself took {result['crowd_cpu_percent']:.0f} % of a processor, "
          f"and was {players['late_ms']} ms late at most")
    p99 = players["times"]["all calls"][2]
    print_goal("p99 of all calls in ms", p99, "100", p99 < 100)


def bench_heartbeat():
    well = storm.run(BUILD, settle=15, nodes=500, seconds=60)
    sick = storm.run(BUILD, settle=25, nodes=500, hanging=100, seconds=20)
    print_table("500 scripted nodes, a heartbeat every 5 s", ["% of a core", "threads", "private MB", "longest gap s"],
                [(name, f"{r['platform']['cpu_percent']:.2f}", r["platform"]["threads"],
                  f"{r['platform']['mb_ready'] - r['platform']['mb_empty']:.1f}", f"{r['nodes']['gap_ms'] / 1000:.2f}")
                 for name, r in (("all well", well), ("100 of them hang", sick))])
    cost = well["platform"]["cpu_percent"]
    print_goal("% of a core", cost, "2", cost < 2)


def bench_listeners(listeners=5000):
    result = storm.run(BUILD, nodes=2, players=20, listeners=listeners, stuck=10, seconds=20)
    platform, ears = result["platform"], result["listeners"]
    kb = 1024 * (platform["mb_after"] - platform["mb_empty"]) / listeners
    print_table(f"{listeners:,} listeners, 10 of which never read: until the last one has heard",
                ["all told", "p50 ms", "longest ms"],
                [(name, f"{ears[name]['whole']}/{ears[name]['count']}", f"{ears[name]['p50_ms']:.0f}",
                  f"{ears[name]['max_ms']:.0f}") for name in ("notices", "boards")])
    print(f"  {kb:.0f} KB each, {platform['threads_after']} threads, {platform['cpu_percent']:.0f} % of a core")


# --- (g) what recording costs players -----------------------------------------------------------


def bench_relay():
    print("\n100 MB, single requests and many, by ctfy-relay", flush=True)
    subprocess.run([PYTHON, str(HERE / "relay.py"), str(BUILD)], check=True)


PARTS = {"health": bench_health, "start": bench_start, "client": bench_client, "busy": bench_busy,
         "platform": bench_platform, "storm": bench_storm, "heartbeat": bench_heartbeat, "listeners": bench_listeners,
         "relay": bench_relay}


def main(names):
    unknown = set(names) - set(PARTS)
    if unknown:
        sys.exit(f"bench: no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    version = harness.engine.json("GET", "/version")["Version"]
    print(f"ctfy bench: {os.cpu_count()} processors, Linux {os.uname().release}, Docker {version}")
    for name in names or PARTS:
        PARTS[name]()


main(sys.argv[2:])

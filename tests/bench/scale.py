#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Many instances on one node, beside the same made by hand: scale.py BUILD-DIR [cold|churn|most]...

"By hand" is what a program would do that knows the Engine API and nothing else: for each instance a
network with a subnet of its own and one container, with the settings that the node gives it.
SCALE_COUNT (200), SCALE_SECONDS (60) set the size; of "most", which goes on until that many run or one
doesn't start, SCALE_MOST (1000).
"""

import ipaddress
import itertools
import os
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
BUILD = Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parents[1] / "build").absolute()
os.environ["CTFY"] = str(BUILD / "ctfy")
sys.path.insert(0, str(HERE.parent / "node"))
sys.dont_write_bytecode = True

import floor  # noqa: E402
import harness  # noqa: E402

COUNT = int(os.environ.get("SCALE_COUNT", 200))
SECONDS = float(os.environ.get("SCALE_SECONDS", 60))
MOST = int(os.environ.get("SCALE_MOST", 1000))
CHALLENGE = "plain"
LABEL = "ctfy.bench=scale"


def percentile(values, percent):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * percent / 100))]


class ByCtfy:
    name = "ctfy"

    def __init__(self, count, **more):
        self.node = harness.Node(subnets="10.144.0.0/13", capacity=count + 16, ready_networks=32, **more)

    def start(self):
        spec = self.node.spec(CHALLENGE, ttl=3600)
        reply = self.node.post(spec, timeout=600)
        if reply.status != 201:
            raise RuntimeError(f"start: {reply}")
        return spec["instance_id"]

    def stop(self, name):
        reply = self.node.stop(name, timeout=600)
        if reply.status != 204:
            raise RuntimeError(f"stop: {reply}")

    def rss_mib(self):
        with open(f"/proc/{self.node.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024

    def stop_all(self):
        reply = self.node.call("POST", "/admin/stop-all", timeout=1200)
        if reply.status != 200 or reply.json["failed"]:
            raise RuntimeError(f"stop-all: {reply}")

    def close(self):
        self.node.close()


class ByHand:
    """Learns a container's settings from one that the node made."""
    name = "by hand"

    def __init__(self, body):
        self.body = body
        self.subnets = ipaddress.ip_network("10.112.0.0/12").subnets(new_prefix=27)
        self.numbers = itertools.count()
        self.lock = threading.Lock()
        self.made = set()

    def start(self):
        with self.lock:
            number, subnet = next(self.numbers), next(self.subnets)
        key, _, value = LABEL.partition("=")
        name = f"bench-scale-{number}"
        network = floor.call("POST", "/networks/create", {
            "Name": name, "CheckDuplicate": True, "Labels": {key: value},
            "IPAM": {"Config": [{"Subnet": str(subnet)}]}})["Id"]
        body = {**self.body, "Labels": {key: value}, "NetworkingConfig": {}}
        body["HostConfig"] = {**self.body["HostConfig"], "NetworkMode": name}
        container = floor.call("POST", f"/containers/create?name={name}", body)["Id"]
        floor.call("POST", f"/containers/{container}/start")
        made = (container, network)
        with self.lock:
            self.made.add(made)
        return made

    def stop(self, made):
        floor.call("DELETE", f"/containers/{made[0]}?force=1&v=1")
        floor.call("DELETE", f"/networks/{made[1]}")
        with self.lock:
            self.made.discard(made)

    def stop_all(self):
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(self.stop, list(self.made)))

    def close(self):
        self.stop_all()


def learn_body(ctfy):
    name = ctfy.start()
    rows = floor.find("containers/json", f"ctfy.instance={name}")
    seen = floor.call("GET", f"/containers/{rows[0]['Id']}/json")
    ctfy.stop(name)
    return {**{key: value for key, value in seen["Config"].items() if key != "Labels"},
            "HostConfig": seen["HostConfig"]}


def wait_until_ready(ctfy):
    """Networks are made ready while nothing starts; a measurement begins when that is done."""
    while True:
        page = ctfy.node.request("GET", "/metrics").body.decode()
        if "ctfy_networks_ready 32" in page:
            return
        time.sleep(0.5)


def cold(way):
    """COUNT starts through 16 clients, then all stopped."""
    times = []

    def one(_):
        began = time.monotonic()
        way.start()
        times.append(time.monotonic() - began)

    began = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(one, range(COUNT)))
    took = time.monotonic() - began
    memory = f", daemon {way.rss_mib():.0f} MiB" if isinstance(way, ByCtfy) else ""
    began = time.monotonic()
    way.stop_all()
    print(f"  {way.name:8} {COUNT} started: {COUNT / took * 60:5.0f}/min, "
          f"p50 {percentile(times, 50):.2f} p95 {percentile(times, 95):.2f} p99 {percentile(times, 99):.2f} s; "
          f"all stopped in {time.monotonic() - began:.0f} s{memory}", flush=True)
    return COUNT / took * 60


def churn(way, seconds):
    """Start one, stop one, 8 at once: how many a minute."""
    until = time.monotonic() + seconds
    counts = []

    def client(_):
        count = 0
        while time.monotonic() < until:
            way.stop(way.start())
            count += 1
        counts.append(count)

    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(client, range(8)))
    rate = sum(counts) / (time.monotonic() - began) * 60
    print(f"  {way.name:8} {rate:5.0f} started and stopped a minute", flush=True)
    return rate


def available_mib():
    with open("/proc/meminfo") as info:
        return next(int(line.split()[1]) for line in info if line.startswith("MemAvailable")) // 1024


def most():
    """What the doctor foresees, and what there is in the end."""
    ctfy = ByCtfy(100 * MOST, ports=(10000, 29999)) # neither is to be the limit
    try:
        print("  " + harness.wait_for(
            lambda: next((line for line in ctfy.node.log().splitlines() if "can hold" in line), None),
            30, "what the host can hold"))
        began, started, failure = time.monotonic(), [], []

        def one(_):
            if failure:
                return
            try:
                started.append(ctfy.start())
            except (RuntimeError, OSError) as error:
                failure.append(str(error))
            if len(started) % 100 == 0:
                print(f"  {len(started)} after {time.monotonic() - began:.0f} s, daemon {ctfy.rss_mib():.0f} MiB, "
                      f"{available_mib()} MiB of memory available", flush=True)

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(one, range(MOST)))
        print(f"  {len(started)} run; {failure[0] if failure else 'none failed'}", flush=True)
        with ThreadPoolExecutor(16) as pool:
            healthy = sum(row["is_healthy"] for row in pool.map(ctfy.node.health, started))
        print(f"  {healthy} of them healthy", flush=True)
        began = time.monotonic()
        ctfy.stop_all()
        print(f"  all stopped in {time.monotonic() - began:.0f} s", flush=True)
    finally:
        ctfy.close()


def main():
    parts = sys.argv[2:] or ["cold", "churn"]
    if "most" in parts:
        most()
        parts.remove("most")
    if not parts:
        return
    ctfy = ByCtfy(COUNT)
    hand = ByHand(learn_body(ctfy))
    try:
        if "cold" in parts:
            print(f"{COUNT} instances of one container, 16 clients")
            wait_until_ready(ctfy)
            ours, theirs = cold(ctfy), cold(hand)
            print(f"  ratio {ours / theirs:.2f} (goal at least 1.0)")
        if "churn" in parts:
            print("steady churn, 8 clients, in turns")
            rounds = []
            for _ in range(3):
                wait_until_ready(ctfy)
                rounds.append((churn(ctfy, SECONDS / 3), churn(hand, SECONDS / 3)))
            ratio = statistics.median(ours / theirs for ours, theirs in rounds)
            print(f"  ratio {ratio:.2f} (goal at least 1.3)")
    finally:
        hand.close()
        ctfy.close()


if __name__ == "__main__":
    main()

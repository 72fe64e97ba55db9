#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Starts and stops for as long as it is told, while everything goes wrong that may: the node is
killed, clients vanish, the engine refuses calls, hangs up, is restarted and killed. In the end
nothing is left, and nothing that was acknowledged was lost.

	tests/node/soak.py		SOAK_CYCLES (300) starts and stops, SOAK_SEED to repeat one

The engine is the test's own; between it and the node is a proxy that spoils calls.
"""

import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter

import harness
import own_engine
from harness import EngineProxy, Node, engine, fetch_soon, wait_for

CYCLES = int(os.environ.get("SOAK_CYCLES", 300))
SEED = int(os.environ.get("SOAK_SEED") or random.randrange(10 ** 6))
CLIENTS = 6
SAMPLES = os.path.join(harness.HERE, "../../challenges")
# What the machine's engine has built is taken along: in there nothing can be downloaded.
BUILT_OUTSIDE = ["notes-web", "two-answers"]
BUILT_INSIDE = ["web", "pair", "disks", "nets", "healthy", "made"]
ANSWERS = {"two-answers": {"user": "flag{a}", "admin": "flag{b}"}}
SPOILED = [
    (r"POST \S*/networks/create", 500), (r"POST \S*/containers/create", 500),
    (r"POST \S*/containers/\w+/start", 500), (r"DELETE \S*/containers/", 500),
    (r"DELETE \S*/networks/", 500), (r"GET \S*/containers/json", 500), (r"GET \S*/networks/", 500),
    (r"DELETE \S*/volumes/", 500), (r"POST \S*/networks/\w+/connect", 404), (r"/images/", 500),
]


def gather_challenges(folder):
    for name in BUILT_OUTSIDE:
        shutil.copytree(os.path.join(SAMPLES, name), os.path.join(folder, name))
    for name in BUILT_INSIDE:
        shutil.copytree(os.path.join(harness.CHALLENGES, name), os.path.join(folder, name))
    return folder


def build_outside(folder):
    """The samples' images, built by a node on the machine's engine; their names."""
    node = Node(challenges=folder)
    try:
        for name in BUILT_OUTSIDE:
            node.call("POST", f"/admin/challenges/{name}/build")
        for name in BUILT_OUTSIDE:
            instance, _ = node.begin(name, answers=ANSWERS.get(name, {"flag": "flag{x}"}))
            node.stop(instance["instance_id"])
    finally:
        node.close()
    return [tag for image in engine.json("GET", "/images/json") for tag in image["RepoTags"] or []
            if tag.split("/")[:1] == ["ctfy-challenge"] and tag.split("/")[1] in BUILT_OUTSIDE]


class Soak:
    def __init__(self, folder, images):
        self.random = random.Random(SEED)
        self.own = own_engine.OwnEngine(own_engine.IMAGES + images)
        self.proxy_dir = tempfile.mkdtemp(prefix="ctfy-node-test-")
        self.proxy = EngineProxy(self.proxy_dir)
        self.node = Node(challenges=folder, engine_url=self.proxy.url, ready_networks=4, capacity=64)
        self.lock = threading.Lock()
        self.cycles = 0
        self.over = threading.Event()
        self.counts = Counter()
        self.faults = [] # what must not have happened

    # The clients

    def reach(self, call, *args, seconds=180, **more):
        """The reply; a node that is dead at the moment is asked again."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return call(*args, **more)
            except (OSError, harness.http.client.HTTPException) as error:
                if time.monotonic() > deadline:
                    raise AssertionError(f"no answer within {seconds} s") from error
                time.sleep(0.1)

    def vanish(self, spec, generator):
        """Asks for a start and is gone before the answer."""
        body = harness.json.dumps(spec).encode()
        try:
            with socket.create_connection(("127.0.0.1", self.node.port), timeout=10) as sock:
                sock.sendall(b"POST /api/v1/instances HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer %s\r\n"
                             b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                             % (self.node.token.encode(), len(body), body))
                time.sleep(generator.uniform(0, 1))
        except OSError:
            pass

    def settle(self, instance_id):
        def settled():
            reply = self.reach(self.node.status, instance_id)
            if reply.status == 404:
                return "404"
            if reply.status != 200: # the engine can't be asked at the moment
                return None
            state = reply.json["status"]
            return state if state not in ("starting", "stopping") else None
        return wait_for(settled, 240, lambda: f"'{instance_id}' settles: {self.node.status(instance_id)}")

    def cycle(self, generator):
        challenge = generator.choice(BUILT_OUTSIDE + BUILT_INSIDE)
        spec = self.node.spec(challenge, answers=ANSWERS.get(challenge, {"flag": "flag{x}"}))
        instance_id, acknowledged = spec["instance_id"], False
        if generator.random() < 0.2:
            self.vanish(spec, generator)
            self.counts["vanished"] += 1
        else:
            try:
                reply = self.node.post(spec, respond_async=generator.random() < 0.3, timeout=240)
                acknowledged = reply.status in (201, 202)
                self.counts[f"start {reply.status}"] += 1
            except (OSError, harness.http.client.HTTPException):
                self.counts["start cut off"] += 1
        state = self.settle(instance_id)
        if state == "running":
            time.sleep(generator.uniform(0, 2))
            state = self.settle(instance_id)
            if state != "running":
                self.faults.append(f"'{instance_id}' was running, and is {state}")
        elif acknowledged and reply.status == 201:
            self.faults.append(f"'{instance_id}' was acknowledged, and is {state}")
        self.end(instance_id)

    def end(self, instance_id):
        def ended():
            reply = self.reach(self.node.stop, instance_id, timeout=240)
            if reply.status not in (204, 404):
                self.counts[f"stop {reply.status}"] += 1
            return reply.status in (204, 404)
        wait_for(ended, 240, lambda: f"'{instance_id}' stops: {self.node.status(instance_id)}")

    def client(self, number):
        generator = random.Random(SEED * 100 + number)
        while not self.over.is_set():
            try:
                self.cycle(generator)
            except Exception as error: # whatever it is, the soak has found something
                self.faults.append(f"{type(error).__name__}: {error}")
            with self.lock:
                self.cycles += 1
                if self.cycles >= CYCLES:
                    self.over.set()

    # What goes wrong

    def bring_node_up(self):
        """As a supervisor would: a start that the engine spoils is tried again."""
        for _ in range(20):
            try:
                return self.node.start()
            except AssertionError:
                self.node.kill()
                self.counts["node did not come up"] += 1
        raise AssertionError(f"the node does not come up\n{self.node.log()}")

    def kill_node(self):
        self.node.kill()
        self.bring_node_up()

    def hang_up(self):
        self.proxy.cut()
        time.sleep(self.random.uniform(0, 1))
        self.proxy.restore()

    def refuse(self):
        pattern, status = self.random.choice(SPOILED)
        self.proxy.refuse(pattern, status, "spoiled by the soak", times=self.random.randint(1, 3))

    def spoil(self):
        restarts = [CYCLES // 3, CYCLES * 2 // 3]
        while not self.over.wait(self.random.uniform(0.5, 3)):
            if restarts and self.cycles >= restarts[0]:
                restarts.pop(0)
                killed = not restarts
                self.counts["engine killed" if killed else "engine restarted"] += 1
                self.own.restart(killed)
                continue
            act = self.random.choices([self.kill_node, self.refuse, self.hang_up], [3, 5, 1])[0]
            act()
            self.counts[act.__name__] += 1

    def tell(self):
        while not self.over.wait(10):
            print(f"  {self.cycles} of {CYCLES}: {dict(self.counts)}", flush=True)

    # What is left

    def gauge(self, name):
        page = self.node.request("GET", "/metrics").body.decode()
        return next(float(line.split()[-1]) for line in page.splitlines() if line.startswith(name + " "))

    def look_for_remains(self):
        label = f"{harness.LABEL_NODE}={self.node_id}"
        def left():
            objects = engine.objects(label)
            objects["network"] = {key: labels for key, labels in objects["network"].items()
                                  if not labels.keys() & {harness.LABEL_POOL, harness.LABEL_BUILDS}}
            return {kind: found for kind, found in objects.items() if found}
        try:
            wait_for(lambda: not left(), 90, lambda: f"the engine still has {left()}")
            wait_for(lambda: self.gauge("ctfy_ports_left") == self.ports, 30, "all ports free again")
        except AssertionError as error:
            self.faults.append(str(error))
        instances = os.path.join(self.node.state, "instances")
        names = os.listdir(instances) if os.path.isdir(instances) else []
        if names:
            self.faults.append(f"directories are left: {names}")

    def rss_kib(self):
        with open(f"/proc/{self.node.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def watch_memory(self):
        """In calm, in one process: the same work again and again needs no more memory."""
        def work(times):
            for _ in range(times):
                row, _ = self.node.begin("web")
                self.node.stop(row["instance_id"])
            return self.rss_kib()
        self.kill_node()
        early, late = work(15), work(45)
        print(f"  resident after 15 starts and stops {early} KiB, after 60 {late} KiB", flush=True)
        if not harness.is_sanitized() and late > early * 1.15 + 1024:
            self.faults.append(f"memory grows: {early} KiB, then {late} KiB")

    def leave(self):
        """The node ends, and what it kept ready is cleaned up by the command for that."""
        self.node.terminate()
        subprocess.run([harness.CTFY, "clean", "--engine", "unix://" + self.own.socket, self.node_id],
                       check=True, stdout=subprocess.DEVNULL)
        left = {kind: found for kind, found in engine.objects(harness.LABEL_NODE).items() if found}
        if left:
            self.faults.append(f"after ctfy clean the engine still has {left}")

    def run(self):
        began = time.monotonic()
        self.node_id = re.search(r"node '(\w+)' is listening", self.node.log())[1]
        self.ports = self.gauge("ctfy_ports_left")
        threads = [threading.Thread(target=self.client, args=[n]) for n in range(CLIENTS)]
        threads += [threading.Thread(target=self.tell)]
        for thread in threads:
            thread.start()
        try:
            self.spoil()
        except Exception as error:
            self.faults.append(f"{type(error).__name__}: {error}")
            self.over.set()
        with self.proxy.lock:
            self.proxy.refusals.clear()
        for thread in threads:
            thread.join()
        if not self.node.is_alive():
            self.bring_node_up()
        self.look_for_remains()
        self.watch_memory()
        self.look_for_remains()
        self.leave()
        print(f"  {self.cycles} cycles in {time.monotonic() - began:.0f} s: {dict(self.counts)}")
        return self.faults

    def close(self):
        if self.node.is_alive():
            self.node.kill()
        shutil.rmtree(self.node.dir, ignore_errors=True)
        shutil.rmtree(self.proxy_dir, ignore_errors=True)
        self.own.close()


def main():
    with tempfile.TemporaryDirectory(prefix="ctfy-soak-") as folder:
        gather_challenges(folder)
        if not own_engine.is_inside():
            harness.require_engine()
            os.environ["SOAK_IMAGES"] = " ".join(build_outside(folder))
        own_engine.enter_namespace()
        print(f"seed {SEED}, {CYCLES} cycles", flush=True)
        soak = Soak(folder, os.environ["SOAK_IMAGES"].split())
        try:
            faults = soak.run()
        finally:
            soak.close()
    for fault in faults:
        print(f"FAULT: {fault}")
    print(f"{len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Challenges under another of the engine's runtimes: what the node does for instances works there as
well, and nobody has a runtime that the operator did not give them.

gVisor (runsc, of Debian) is one kernel in another; runc by a second name shows that the choice is
what makes the difference.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

import own_engine

own_engine.enter_namespace()

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../evidence"))

import harness
from harness import Node, NodeTest, engine, fetch_soon, wait_for
from websocket import BINARY, WebSocket

# runsc of Debian 12 takes every network for the host's where it has /proc/sys/net/core/rmem_default,
# which newer kernels show in all of them (tried: 6.18): it looks there without it.
RUNSC = """#!/bin/sh
exec unshare --mount --propagation private -- \\
	sh -c 'mount -t tmpfs none /proc/sys/net && exec runsc "$@"' runsc "$@"
"""
COMPOSE = """services:
  web:
    image: ctfy/busybox
    command: sh -c 'mkdir /www; printf "%s" "$$FLAG" > /www/index.html; exec httpd -f -p 8080 -h /www'
    init: true
    environment: ["FLAG=${FLAG}"]
    ports: ["8080:8080"]
    depends_on: [store]
    mem_limit: 64m
    healthcheck: {test: ["CMD", "wget", "-qO-", "http://127.0.0.1:8080/"], interval: 1s}
  store:
    image: ctfy/busybox
    command: sh -c 'mkdir /www; echo stored > /www/index.html; echo it begins; exec httpd -f -p 80 -h /www'
    init: true
"""
CHALLENGE = """name: Runs
category: test
description: Two services, recorded.
value: 100
type: standard
capture: true
record_http: true
protocol: http
questions:
  - {id: flag, text: What is the flag?, answer: "flag{...}"}
"""


def make_challenge(directory, name, compose=COMPOSE):
    os.makedirs(os.path.join(directory, name))
    for file, text in (("challenge.yml", CHALLENGE), ("compose.yml", compose)):
        with open(os.path.join(directory, name, file), "w") as out:
            out.write(text)


def make_capture(directory):
    """The node's image of tcpdump, of what is installed here: an engine of a test's own has no
    packages to build it from."""
    folder = os.path.join(directory, "capture")
    os.makedirs(folder)
    program = shutil.which("tcpdump")
    linked = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    files = [program, *(word for word in linked.split() if word.startswith("/"))]
    for file in files:
        os.makedirs(folder + os.path.dirname(file), exist_ok=True)
        shutil.copy(file, folder + file)
    with open(os.path.join(folder, "Dockerfile"), "w") as out:
        out.write("FROM debian:bookworm-slim\n")
        out.writelines(f"COPY {file} {file}\n" for file in sorted(set(f.lstrip("/") for f in files)))
        out.write('ENTRYPOINT ["tcpdump", "-n", "-U", "--immediate-mode", "-Z", "root"]\n')


def make_images(directory):
    make_capture(directory)
    os.makedirs(os.path.join(directory, "recorder"))
    with open(os.path.join(directory, "recorder/Dockerfile"), "w") as out:
        out.write("FROM debian:bookworm-slim\n") # of agents, of which there is none here
    return directory


class RuntimeTest(NodeTest):
    runtime = None
    policy = ""

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="ctfy-runtimes-")
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        config, policy = os.path.join(cls.dir, "daemon.json"), os.path.join(cls.dir, "policy.yml")
        runsc = os.path.join(cls.dir, "runsc")
        with open(os.open(runsc, os.O_WRONLY | os.O_CREAT, 0o755), "w") as file:
            file.write(RUNSC)
        with open(config, "w") as file:
            json.dump({"runtimes": {"runsc": {"path": runsc}, "other": {"path": "runc"}}}, file)
        with open(policy, "w") as file:
            file.write(cls.policy)
        cls.own = own_engine.OwnEngine(arguments=["--config-file", config])
        cls.addClassCleanup(cls.own.close)
        cls.challenges = os.path.join(cls.dir, "challenges")
        cls.make_challenges()
        more = {"runtime": cls.runtime} if cls.runtime else {}
        cls.node = Node(engine_url="unix://" + cls.own.socket, challenges=cls.challenges, policy=policy,
                        images=make_images(os.path.join(cls.dir, "images")), **more)
        cls.addClassCleanup(cls.node.close)

    @classmethod
    def make_challenges(cls):
        make_challenge(cls.challenges, "runs")

    def runtimes_of(self, row):
        return {name: c["HostConfig"]["Runtime"] for name, c in self.node.containers(row["instance_id"]).items()}


class UnderAnother(RuntimeTest):
    runtime = "other"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.row, cls.spec = cls.node.begin("runs")
        cls.path = f"/instances/{cls.row['instance_id']}"
        cls.web, cls.store = (cls.node.containers(cls.row["instance_id"])[name] for name in ("web", "store"))

    def test_services_have_it_and_our_own_have_not(self):
        self.assertEqual(self.runtimes_of(self.row),
                         {"web": self.runtime, "store": self.runtime, "ctfy-recorder": "runc",
                          "ctfy-capture": "runc"})

    def test_it_becomes_healthy(self):
        wait_for(lambda: self.node.health(self.row["instance_id"])["is_healthy"], 60,
                 lambda: f"healthy: {self.node.health(self.row['instance_id'])}")

    def test_what_players_ask_is_answered_recorded_and_captured(self):
        port = self.row["endpoints"][0]["port"]
        self.assertEqual(fetch_soon("127.0.0.1", port, "/?by=a-player"), self.spec["answers"]["flag"])
        flows = lambda: self.node.call("GET", self.path + "/traffic").json["flows"]
        wait_for(lambda: [f for f in flows() if "by=a-player" in f["request"]["url"] and f["response"]], 30, "its flow")
        wait_for(lambda: b"by=a-player" in self.node.call("GET", self.path + "/pcap").body, 30, "its packets")

    def test_services_find_each_other_by_name(self):
        self.assertEqual(engine.exec(self.web["Id"], ["wget", "-qO-", "http://store/"]), (0, "stored\n"))

    def test_what_they_write_is_in_their_logs(self):
        wait_for(lambda: b"it begins" in self.node.call("GET", self.path + "/container-logs").body, 30, "a line")

    def test_a_program_runs_inside_and_tells_how_it_ended(self):
        self.assertEqual(engine.exec(self.web["Id"], ["sh", "-c", "echo inside; exit 7"]), (7, "inside\n"))

    def test_it_has_a_shell(self):
        name = self.web["Name"].lstrip("/")
        ws = WebSocket("127.0.0.1", self.node.port, "/api/v1" + self.path + f"/containers/{name}/shell?cols=101&rows=37",
                       {"Authorization": "Bearer " + self.node.token})
        self.addCleanup(ws.close)
        ws.send(b"echo $((6*7)).; stty size\n", BINARY)
        seen = b""
        while b"42." not in seen or b"37 101" not in seen:
            seen += ws.receive()[1]

    def test_a_neighbour_and_the_host_are_out_of_reach(self):
        other, _ = self.node.begin("runs")
        self.addCleanup(self.node.stop, other["instance_id"])
        networks = self.node.containers(other["instance_id"])["store"]["NetworkSettings"]["Networks"]
        theirs = [n["IPAddress"] for n in networks.values()][0]
        own = [n for n in self.web["NetworkSettings"]["Networks"].values()][0]
        for address, port in ((theirs, 80), (own["Gateway"], self.node.port)):
            code, text = engine.exec(self.web["Id"], ["wget", "-T", "2", "-qO-", f"http://{address}:{port}/"])
            self.assertNotEqual(code, 0, text)

    def overdo(self, command):
        """A container of its own, whose service has done this or has ended of it."""
        row, _ = self.node.begin("runs")
        self.addCleanup(self.node.stop, row["instance_id"])
        web = self.node.containers(row["instance_id"])["web"]["Id"]
        made = engine.json("POST", f"/containers/{web}/exec", {"Cmd": ["sh", "-c", command]})["Id"]
        engine.json("POST", f"/exec/{made}/start", {"Detach": True})
        wait_for(lambda: not engine.inspect(web)["State"]["Running"] or not engine.json("GET", f"/exec/{made}/json")["Running"],
                 60, "an end")
        return web

    def cgroup(self, container, controller, file):
        """What a file of the container's says; None where it has ended, and the kernel's group with it."""
        for path in (f"/sys/fs/cgroup/{controller}/docker/{container}/{file}", f"/sys/fs/cgroup/docker/{container}/{file}"):
            if os.path.exists(path):
                with open(path) as value:
                    return value.read().strip()
        return None

    def test_memory_is_limited(self):
        """Of gVisor all of the container ends with who takes too much."""
        web = self.overdo("head -c 200m /dev/zero | tail -c 150m | wc -c >/count")
        state = engine.inspect(web)["State"]
        if state["Running"]:
            self.assertNotIn(str(150 << 20), engine.exec(web, ["cat", "/count"])[1])
        else:
            self.assertEqual(state["ExitCode"], 137)

    def test_processes_are_limited(self):
        self.assertEqual(self.cgroup(self.web["Id"], "pids", "pids.max"), "256")
        web = self.overdo("for i in $(seq 400); do sleep 600 & done")
        self.assertLessEqual(int(self.cgroup(web, "pids", "pids.current") or 0), 256)

    def test_it_ends_without_a_trace(self):
        row, _ = self.node.begin("runs")
        self.assertStatus(self.node.stop(row["instance_id"]), 204)
        self.assertGone(self.node, row["instance_id"])


class UnderGvisor(UnderAnother):
    runtime = "runsc"

    def test_services_find_each_other_by_name(self):
        """Docker's name server is in the kernel's rules, not in gVisor's stack."""
        self.assertNotEqual(engine.exec(self.web["Id"], ["wget", "-qO-", "http://store/"])[0], 0)
        address = [n["IPAddress"] for n in self.store["NetworkSettings"]["Networks"].values()][0]
        self.assertEqual(engine.exec(self.web["Id"], ["wget", "-qO-", f"http://{address}/"]), (0, "stored\n"))

    def test_it_is_another_kernel(self):
        _, inside = engine.exec(self.web["Id"], ["uname", "-r"])
        self.assertNotEqual(inside.strip(), os.uname().release)


class ByPolicy(RuntimeTest):
    """The node has none of its own: operators say who has one, and who may ask for which."""

    policy = """challenges:
  given: {runtime: other}
  asks: {allow: ["runtime:other"]}
  asks-more: {allow: ["runtime:other"]}
"""

    @classmethod
    def make_challenges(cls):
        plain = "services: {web: {image: ctfy/busybox, command: sleep 600, init: true%s}}\n"
        for name, asked in (("none", ""), ("given", ""), ("asks", ", runtime: other"), ("refused", ", runtime: other"),
                            ("asks-more", ", runtime: runsc")):
            make_challenge(cls.challenges, name, plain % asked)

    def test_who_has_which(self):
        for name, runtime in (("none", "runc"), ("given", "other"), ("asks", "other")):
            with self.subTest(name):
                row, _ = self.node.begin(name)
                self.assertEqual(self.runtimes_of(row)["web"], runtime)
                self.assertStatus(self.node.stop(row["instance_id"]), 204)

    def test_who_may_not(self):
        for name, runtime in (("refused", "other"), ("asks-more", "runsc")):
            with self.subTest(name):
                reply = self.node.post(self.node.spec(name))
                self.assertError(reply, 403, 422)
                self.assertIn(f"runtime:{runtime}", reply.detail)

    def test_what_the_engine_does_not_know_is_told_beforehand(self):
        node = Node(engine_url="unix://" + self.own.socket, challenges=self.challenges, start=False, runtime="kata")
        self.addCleanup(node.close)
        with self.assertRaises(AssertionError):
            node.start()
        self.assertIn("--runtime: the engine knows no runtime 'kata'; it has ", node.log())
        self.assertEqual(self.check(node, runtime="kata")[0], 1)
        self.assertRegex(self.check(node, runtime="kata")[1], "FAULT +runtime +the engine knows no runtime 'kata'")
        policy = os.path.join(self.dir, "unknown.yml")
        with open(policy, "w") as file:
            file.write('challenges: {a: {runtime: kata}, b: {allow: ["runtime:gone", "runtime:*"]}}\n')
        text = self.check(node, runtime="other", policy=policy)[1]
        self.assertRegex(text, "warning +runtime +the engine knows no runtime 'kata'")
        self.assertRegex(text, "warning +runtime +the engine knows no runtime 'gone'")
        self.assertNotIn("'other';", text)

    def check(self, node, **options):
        argv = [harness.CTFY, "node", "--check"]
        for name, value in {**node.options, **options}.items():
            argv += ["--" + name, value]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


if __name__ == "__main__":
    harness.main()

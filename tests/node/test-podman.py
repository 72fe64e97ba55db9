#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The node on Podman's Docker-compatible socket: what docs/node.md says of it."""

import ipaddress
import os
import re
import subprocess
import tempfile

import own_engine

own_engine.enter_namespace()

import harness
from harness import Node, NodeTest, engine, fetch_soon, parallel, wait_for

SPEC = """
name: Shop
category: test
description: Two services, one of them built, and a volume.
value: 100
questions: [{id: flag, text: f, answer: "flag{...}"}]
"""
# Podman's own limit of processes takes CAP_SYS_RESOURCE to set: docs/node.md.
COMPOSE = """
services:
  front:
    build: .
    command: sh -c 'until wget -qO /www/index.html http://back:9000/; do sleep 1; done; exec httpd -f -p 8080 -h /www'
    depends_on: [back]
    ports: ["8080"]
    ulimits: {nproc: 4096}
  back:
    image: ctfy/busybox
    command: sh -c 'echo "$$FLAG" > /data/index.html; exec httpd -f -p 9000 -h /data'
    environment: {FLAG: "${FLAG}"}
    volumes: ["data:/data"]
    ulimits: {nproc: 4096}
volumes:
  data:
"""
DOCKERFILE = """
FROM ctfy/busybox
RUN mkdir /www
"""


def write_challenge(parent, dockerfile=DOCKERFILE):
    folder = os.path.join(parent, "shop")
    os.mkdir(folder)
    for name, text in [("challenge.yml", SPEC), ("compose.yml", COMPOSE), ("Dockerfile", dockerfile)]:
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)


class PodmanTest(NodeTest):
    @classmethod
    def setUpClass(cls):
        cls.own = own_engine.OwnPodman()
        with tempfile.TemporaryDirectory() as challenges:
            write_challenge(challenges)
            cls.node = Node(engine_url="unix://" + cls.own.socket, challenges=challenges, listen="0.0.0.0",
                            ready_networks=2)

    @classmethod
    def tearDownClass(cls):
        cls.node.close()
        cls.own.close()

    def begin(self):
        row, spec = self.node.begin("shop")
        self.assertServes(row, spec)
        return row, spec

    def assertServes(self, row, spec):
        page = fetch_soon("127.0.0.1", row["endpoints"][0]["port"], seconds=60)
        self.assertEqual(page.strip(), spec["answers"]["flag"])

    def assertHealthy(self, row):
        wait_for(lambda: self.node.health(row["instance_id"])["is_healthy"], 60,
                 lambda: f"healthy: {self.node.health(row['instance_id'])}")

    def assertEndsCleanly(self, *rows):
        for reply in parallel([lambda r=r: self.node.stop(r["instance_id"], timeout=120) for r in rows]):
            self.assertStatus(reply, 204)
        for row in rows:
            self.assertGone(self.node, row["instance_id"])

    def test_instances_side_by_side(self):
        begun = parallel([self.begin] * 4)
        rows = [row for row, _ in begun]
        for row in rows:
            self.assertHealthy(row)
        self.assertIsolated(*rows[:2])
        self.assertEndsCleanly(*rows)

    def assertIsolated(self, one, other):
        """From one, its own other service is reached, and neither the other instance nor the node's API."""
        front = self.node.containers(one["instance_id"])["front"]
        foreign = self.node.containers(other["instance_id"])["back"]
        def addresses(container, key):
            return [n[key] for n in container["NetworkSettings"]["Networks"].values()]
        def reaches(host, port):
            return engine.exec(front["Id"], ["sh", "-c", f"nc -w 3 {host} {port} </dev/null"])[0] == 0
        self.assertTrue(reaches("back", 9000))
        for address in addresses(foreign, "IPAddress"):
            self.assertFalse(reaches(address, 9000), "another instance")
        for gateway in addresses(front, "Gateway"):
            self.assertFalse(reaches(gateway, self.node.port), "the node's API")

    def test_a_restart_of_the_service_ends_no_instance(self):
        row, spec = self.begin()
        self.own.restart()
        self.assertServes(row, spec)
        self.assertHealthy(row)
        self.assertEndsCleanly(row)

    def test_a_killed_node_finds_its_instance(self):
        row, spec = self.begin()
        self.node.restart()
        self.assertServes(row, spec)
        self.assertRunning(self.node, row["instance_id"], services=2)
        self.assertEndsCleanly(row)


# Held up until somebody has looked at it from outside.
STEP = """FROM ctfy/busybox
RUN echo %s; exec sh -c 'while [ -e /bin/busybox ]; do sleep 1; done'
"""


class BuildTest(NodeTest):
    """What a step of a build may take, as the host sees its process."""

    @classmethod
    def setUpClass(cls):
        cls.own = own_engine.OwnPodman()
        cls.addClassCleanup(cls.own.close)
        cls.mark = "held-" + harness.PREFIX
        with tempfile.TemporaryDirectory() as challenges:
            write_challenge(challenges, STEP % cls.mark)
            cls.node = Node(engine_url="unix://" + cls.own.socket, challenges=challenges, build_memory="64m",
                            build_cpus=1, build_time="30s")
        cls.addClassCleanup(cls.node.close)
        cls.pid = cls.begin_build()

    @classmethod
    def begin_build(cls):
        reply = cls.node.call("POST", "/admin/challenges/shop/build")
        if reply.status not in (200, 202):
            raise AssertionError(reply)
        return wait_for(cls.step, 40, cls.node.log)

    @classmethod
    def step(cls):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read()
            except OSError:
                continue
            if words.startswith(b"sh\0-c\0while [ -e /bin/busybox ]"):
                return int(pid)
        return None

    def cgroup(self, controller, file, file_v2):
        with open(f"/proc/{self.pid}/cgroup") as groups:
            rows = [line.strip().split(":", 2) for line in groups]
        for _, controllers, path in rows:
            if controller in controllers.split(","):
                with open(f"/sys/fs/cgroup/{controller}{path}/{file}") as value:
                    return value.read().strip()
        with open(f"/sys/fs/cgroup{rows[0][2]}/{file_v2}") as value:
            return value.read().split()[0]

    def test_memory_and_processors(self):
        self.assertEqual(self.cgroup("memory", "memory.limit_in_bytes", "memory.max"), str(64 << 20))
        self.assertEqual(self.cgroup("cpu", "cpu.cfs_quota_us", "cpu.max"), "100000")

    def test_files(self):
        with open(f"/proc/{self.pid}/limits") as file:
            limits = {line[:26].strip(): line[26:].split()[:2] for line in file}
        self.assertEqual(limits["Max open files"], ["16384", "16384"])
        self.assertEqual(limits["Max core file size"], ["0", "0"])
        self.assertEqual(limits["Max file size"], [str(2 ** 31 - 1)] * 2)

    def test_network(self):
        """One of the node's own, behind its firewall."""
        text = subprocess.run(["nsenter", f"--net=/proc/{self.pid}/ns/net", "ip", "-4", "-o", "addr"], check=True,
                              capture_output=True, text=True).stdout
        addresses = [ipaddress.ip_interface(word).ip for word in re.findall(r"inet (\S+)", text)]
        within = ipaddress.ip_network(self.node.options["subnets"])
        self.assertEqual([a in within for a in addresses if not a.is_loopback], [True], text)

    def test_processes(self):
        with open(f"/proc/{self.pid}/cgroup") as groups:
            path = next(line for line in groups if line.startswith("0::") or ":pids:" in line).strip().split(":")[2]
        self.assertRegex(path, "^/ctfy-build/")
        self.assertEqual(self.cgroup("pids", "../pids.max", "../pids.max"), "4096")

    def test_zzz_time_and_the_end_of_what_podman_leaves_running(self):
        row = lambda: next(r for r in self.node.call("GET", "/admin/challenges/build-state").json["rows"]
                           if r["challenge_id"] == "shop")
        wait_for(lambda: row()["status"] == "failed", 120, row)
        self.assertIn("did not end within 30 s", row()["error"])
        wait_for(lambda: not self.step(), 60, "the end of the step")
        self.begin_build()
        self.node.kill()
        self.node.start()
        wait_for(lambda: not self.step(), 60, "the end of the step of a killed node's build")


if __name__ == "__main__":
    harness.main()

#!/usr/bin/python3
"""The node on Podman's Docker-compatible socket: what docs/node.md says of it."""

import os
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


def write_challenge(parent):
    folder = os.path.join(parent, "shop")
    os.mkdir(folder)
    for name, text in [("challenge.yml", SPEC), ("compose.yml", COMPOSE), ("Dockerfile", DOCKERFILE)]:
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


if __name__ == "__main__":
    harness.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who fills the disk is ended, and nobody else: by an instance's limits, and by what is left of the node's."""

import os
import unittest

import harness
from harness import Node, NodeTest, engine, wait_for

MIB = 1 << 20


def make_challenge(node):
    """A service that may write beside itself, in a volume, and in its copy of a directory."""
    folder = os.path.join(node.challenges, "room")
    os.makedirs(os.path.join(folder, "copy"))
    with open(os.path.join(folder, "copy", "file"), "w") as file:
        file.write("there\n")
    with open(os.path.join(folder, "compose.yml"), "w") as file:
        file.write("services:\n  app:\n    image: ctfy/busybox\n    init: true\n"
                   "    command: [busybox, sleep, '3600']\n"
                   "    volumes: ['named:/named', '/unnamed', './copy:/copy']\n"
                   "volumes: {named: {}}\n")
    with open(os.path.join(folder, "challenge.yml"), "w") as file:
        file.write("name: Room\n")


class Disk(NodeTest):
    def new_node(self, **options):
        node = Node(start=False, **options)
        self.addCleanup(node.close)
        make_challenge(node)
        return node.start()

    def begin(self, node):
        row, _ = node.begin("room")
        return row["instance_id"], node.containers(row["instance_id"])["app"]["Id"]

    def write(self, container, script):
        """It may be ended while it is at it."""
        try:
            engine.exec(container, ["busybox", "sh", "-c", script])
        except (harness.EngineError, OSError, TypeError, ValueError):
            pass

    def assertEnded(self, node, instance_id, reason):
        row = wait_for(lambda: (row := node.status(instance_id).json)["status"] == "failed" and row, 60,
                       lambda: f"its end: {node.status(instance_id)}")
        self.assertRegex(row["detail"], reason)
        self.assertGone(node, instance_id, 30)
        events = node.call("GET", f"/instances/{instance_id}/timeline").json["events"]
        told = {event["event"]: event["detail"] for event in events}
        self.assertRegex(told["stopping"], reason)
        self.assertRegex(told["failed"], reason)
        self.assertStatus(node.call("GET", f"/instances/{instance_id}/evidence"), 200)

    def test_bytes_wherever_they_are_written(self):
        node = self.new_node(instance_disk="64m")
        neighbour, there = self.begin(node)
        self.write(there, "for d in / /named /unnamed /copy; do dd if=/dev/zero of=$d/few bs=1M count=8; done")
        for place in ["", "/named", "/unnamed", "/copy"]:
            with self.subTest(place=place or "/"):
                instance_id, container = self.begin(node)
                self.write(container, f"dd if=/dev/zero of={place}/much bs=1M count=96")
                self.assertEnded(node, instance_id, r"64 MiB \(--instance-disk\)")
        self.assertRunning(node, neighbour)

    def test_bytes_of_a_restarted_nodes_instance_that_are_only_reserved(self):
        node = self.new_node(instance_disk="1g")
        instance_id, container = self.begin(node)
        node.restart()
        self.write(container, "fallocate -l 1200M /much")
        self.assertEnded(node, instance_id, r"1024 MiB \(--instance-disk\)")

    def test_many_small_parts(self):
        node = self.new_node(instance_disk="64m")
        instance_id, container = self.begin(node)
        self.write(container, "for i in $(seq 1500); do dd if=/dev/zero of=/named/$i bs=64k count=1; done")
        self.assertEnded(node, instance_id, r"64 MiB \(--instance-disk\)")

    def test_bytes_without_a_name(self):
        node = self.new_node(instance_disk="64m")
        neighbour, there = self.begin(node)
        instance_id, container = self.begin(node)
        script = "exec 3> /much; rm /much; dd if=/dev/zero bs=1M count=%d >&3; sleep 3600"
        for into, size in [(there, 8), (container, 96)]:
            made = engine.json("POST", f"/containers/{into}/exec", {"Cmd": ["busybox", "sh", "-c", script % size]})
            engine.call("POST", f"/exec/{made['Id']}/start", {"Detach": True})
        self.assertEnded(node, instance_id, r"64 MiB \(--instance-disk\)")
        self.assertRunning(node, neighbour)

    def test_files(self):
        node = self.new_node(instance_files=500)
        neighbour, there = self.begin(node)
        self.write(there, "for i in $(seq 300); do : > /$i; done")
        instance_id, container = self.begin(node)
        self.write(container, "for i in $(seq 300); do : > /$i; mkdir /named/$i; done")
        self.assertEnded(node, instance_id, r"500 \(--instance-files\)")
        self.assertRunning(node, neighbour)

    def test_directories_without_end(self):
        node = self.new_node()
        instance_id, container = self.begin(node)
        self.write(container, "for i in $(seq 400); do mkdir d && cd d; done")
        self.assertEnded(node, instance_id, "more than 256 deep")

    def test_who_has_most_where_the_nodes_disk_runs_short(self):
        """Others write to this disk as well: the watermark is far from what is free."""
        node = self.new_node()
        neighbour, there = self.begin(node)
        self.write(there, "dd if=/dev/zero of=/few bs=1M count=32")
        instance_id, container = self.begin(node)
        info = engine.json("GET", "/info")
        fs = os.statvfs(info["DockerRootDir"])
        free = fs.f_bavail * fs.f_frsize
        node.options["min-free-disk"] = f"{2 * (free - 1024 * MIB)}"
        node.restart()
        self.write(container, "fallocate -l 2500M /much")
        self.assertEnded(node, instance_id, "short of disk.* most of all: 25[0-9][0-9] MiB")
        self.assertRunning(node, neighbour)


if __name__ == "__main__":
    harness.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A challenge with a jail in it, without rights over the host: the jail is built, and who has left
it is root of a container and of nothing else. The engine maps users, as it has to; where it
doesn't, nothing starts.

The jail is ours (jail.c), for those of real challenges come from registries: a launcher that mounts
as root of the container, then user, mount, pid, network, IPC and host name namespaces of its own, a
tmpfs, binds, a fresh /proc, pivot_root.
"""

import os
import shutil
import subprocess
import tempfile
import unittest

import own_engine

own_engine.enter_namespace(mounts=True)

from harness import Node, NodeTest, engine, wait_for

JAIL = os.environ["JAIL"]
COMPOSE = """services:
  pwn:
    build: .
    privileged: true
    command: [sleep, "600"]
"""
# What pwn.red/jail's own Dockerfiles look like: the last stage names it.
DOCKERFILE = "FROM debian:bookworm-slim\n# stands for: FROM pwn.red/jail\nCOPY --chown=0:0 jail /jail\n"


def map_users():
    """Users that only this mount namespace knows of: the machine's files stay as they are."""
    for name in ("subuid", "subgid"):
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            file.write("nobody:300000:65536\nnogroup:300000:65536\n")
        os.chmod(file.name, 0o644)
        path = "/etc/" + name
        if not os.path.exists(path):
            open(path, "a").close()
        subprocess.run(["mount", "--bind", file.name, path], check=True)
        os.unlink(file.name)


def make_challenges(directory):
    folder = os.path.join(directory, "jailed")
    os.makedirs(folder)
    for name, text in (("compose.yml", COMPOSE), ("Dockerfile", DOCKERFILE)):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    shutil.copy(JAIL, os.path.join(folder, "jail"))
    return directory


class JailTest(NodeTest):
    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.own = own_engine.OwnEngine(images=["debian:bookworm-slim"], arguments=cls.arguments)
        cls.addClassCleanup(cls.own.close)
        cls.dir = tempfile.mkdtemp(prefix="ctfy-jail-")
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        policy = os.path.join(cls.dir, "policy.yml")
        with open(policy, "w") as file:
            file.write("allow: [jail]\n")
        cls.node = Node(engine_url="unix://" + cls.own.socket, policy=policy,
                        challenges=make_challenges(os.path.join(cls.dir, "challenges")))
        cls.addClassCleanup(cls.node.close)


class WithUsersMapped(JailTest):
    arguments = ("--userns-remap=nobody:nogroup",)

    @classmethod
    def setUpClass(cls):
        map_users()
        super().setUpClass()
        cls.row, _ = cls.node.begin("jailed")
        wait_for(lambda: cls.node.state_of(cls.row["instance_id"]) == "running", 60, cls.node.log)
        (cls.container,) = cls.node.containers(cls.row["instance_id"]).values()

    def test_a_jail_is_built(self):
        code, text = engine.exec(self.container["Id"], ["/jail"])
        self.assertEqual((code, text), (0, "jailed: pid 1\n"))

    def test_who_has_left_it_does_not_reach_the_host(self):
        code, text = engine.exec(self.container["Id"], ["/jail", "escape"])
        self.assertEqual(code, 0, text)
        self.assertGreater(len(text.splitlines()), 40, text)
        self.assertEqual([line for line in text.splitlines() if not line.startswith("HELD ")], [], text)

    def test_it_is_not_privileged_and_its_limits_hold(self):
        host = self.container["HostConfig"]
        self.assertFalse(host["Privileged"])
        self.assertNotIn("NET_RAW", host["CapAdd"])
        self.assertNotIn("NET_ADMIN", host["CapAdd"])
        self.assertEqual((host["Memory"], host["PidsLimit"]), (512 << 20, 256))


class WithoutUsersMapped(JailTest):

    def test_nothing_starts_and_the_reason_is_told(self):
        reply = self.node.post(self.node.spec("jailed"))
        self.assertGreaterEqual(reply.status, 400)
        self.assertIn("userns-remap", reply.detail)
        self.assertEqual(engine.json("GET", "/containers/json?all=1"), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)

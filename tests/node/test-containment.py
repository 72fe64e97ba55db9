#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What holds every container that a node makes: tried by a program inside of them."""

import os
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import HERE, Node, NodeTest, engine

probe = None


def make_challenge(node, name, **service):
    """A challenge of one service that sleeps and has the probe; extra keys of it as YAML."""
    folder = os.path.join(node.challenges, name)
    os.mkdir(folder)
    shutil.copy(probe, os.path.join(folder, "system-calls"))
    extra = "".join(f"    {key}: {value}\n" for key, value in service.items())
    with open(os.path.join(folder, "compose.yml"), "w") as file:
        file.write("services:\n  app:\n    image: ctfy/busybox\n    init: true\n"
                   "    command: [busybox, sleep, '3600']\n"
                   "    volumes: ['./system-calls:/system-calls:ro']\n" + extra)
    with open(os.path.join(folder, "challenge.yml"), "w") as file:
        file.write(f"name: {name}\n")


def outcomes(text):
    """{what was called: how it went}"""
    return dict(line.split(" ", 1) for line in text.splitlines())


class SystemCalls(NodeTest):
    @classmethod
    def setUpClass(cls):
        cls.node = Node(start=False)
        make_challenge(cls.node, "calls")
        make_challenge(cls.node, "unconfined", security_opt="['seccomp:builtin']")
        cls.node.start()

    @classmethod
    def tearDownClass(cls):
        cls.node.close()

    def run_probe(self, node, challenge, what):
        """By exec, which has the container's own filter; (exit code, what was written)."""
        row, spec = node.begin(challenge)
        container = node.containers(spec["instance_id"])["app"]["Id"]
        code, text = engine.exec(container, ["/system-calls", what])
        self.assertStatus(node.stop(row["instance_id"]), 200, 204)
        return code, text

    def test_no_container_speaks_to_a_hypervisor(self):
        code, text = self.run_probe(self.node, "calls", "vsock")
        self.assertEqual(code, 0, text)
        self.assertEqual(outcomes(text)["socket"], "Operation not permitted")
        self.assertNotEqual(outcomes(text).get("socket-32"), "open")

    def test_an_author_has_no_other_filter_by_another_name(self):
        _, text = self.run_probe(self.node, "unconfined", "vsock")
        self.assertEqual(outcomes(text)["socket"], "Operation not permitted")

    def test_32_bit_programs_can_be_kept_out(self):
        node = Node(start=False)
        self.addCleanup(node.close)
        make_challenge(node, "calls")
        node.options["native-only"] = None
        node.start()
        code, text = self.run_probe(node, "calls", "vsock")
        self.assertNotEqual(code, 0, text) # it was killed
        self.assertEqual(list(outcomes(text)), ["socket"])

    def test_whatever_else_the_engines_own_filter_lets_through_is_let_through(self):
        name = harness.new_id("own-filter")
        own = engine.json("POST", f"/containers/create?name={name}",
                          {"Image": "ctfy/busybox", "Cmd": ["busybox", "sleep", "3600"],
                           "HostConfig": {"Init": True, "Binds": [f"{probe}:/system-calls:ro"]}})["Id"]
        self.addCleanup(engine.call, "DELETE", f"/containers/{own}?force=1")
        engine.json("POST", f"/containers/{own}/start")
        _, theirs = engine.exec(own, ["/system-calls", "all"])
        code, ours = self.run_probe(self.node, "calls", "all")
        self.assertEqual(code, 0, ours)
        self.assertIn("246", outcomes(ours)) # kexec_load(2): the probe tells what is refused
        more = set(outcomes(ours)) - set(outcomes(theirs))
        # io_uring_setup(2), _enter and _register, which Docker from 25 on refuses as well
        self.assertEqual(more - {"425", "426", "427"}, set())


class Limits(NodeTest):
    """What is no service has them as well, whoever wrote its body."""

    @classmethod
    def setUpClass(cls):
        cls.node = Node(start=False, solver_image="ctfy/busybox")
        folder = os.path.join(cls.node.challenges, "helped")
        os.mkdir(folder)
        with open(os.path.join(folder, "compose.yml"), "w") as file:
            file.write("services:\n  app:\n    image: ctfy/busybox\n    init: true\n"
                       "    command: [busybox, sleep, '3600']\n")
        with open(os.path.join(folder, "challenge.yml"), "w") as file:
            file.write("name: Helped\ncapture: true\n")
        shutil.copytree(folder, os.path.join(cls.node.challenges, "making"))
        with open(os.path.join(cls.node.challenges, "making", "challenge.yml"), "w") as file:
            file.write("name: Making\nattachments:\n"
                       "  - {filename: a, service: app, path: /a, command: [busybox, sleep, '3600']}\n")
        solver = os.path.join(folder, "solve")
        with open(solver, "w") as file:
            file.write("#!/bin/busybox sh\nbusybox sleep 3600\n")
        os.chmod(solver, 0o755)
        cls.node.start()

    @classmethod
    def tearDownClass(cls):
        cls.node.close()

    def assertLimited(self, container):
        host = container["HostConfig"]
        self.assertGreater(host["Memory"], 0)
        self.assertEqual(host["MemorySwap"], host["Memory"])
        self.assertGreater(host["PidsLimit"] or 0, 0)
        self.assertGreater(host["NanoCpus"] or host["CpuQuota"], 0)
        self.assertIn("max-size", host["LogConfig"]["Config"])
        self.assertIn("nofile", [u["Name"] for u in host["Ulimits"] or []])

    def find(self, word):
        """The node's container whose name has the word, once it runs."""
        def look():
            for container in engine.json("GET", "/containers/json"):
                if word in container["Names"][0] and f"ctfy.node={container['Labels'].get('ctfy.node')}" \
                        in (self.node.learn_labels() or self.node.labels):
                    return engine.inspect(container["Id"])
            return None
        return harness.wait_for(look, 120, f"a container '{word}'")

    def test_what_makes_an_attachment(self):
        self.assertStatus(self.node.post(self.node.spec("making"), respond_async=True), 202)
        maker = self.find("ctfy-attachment-")
        self.assertLimited(maker)
        engine.call("POST", f"/containers/{maker['Id']}/kill")

    def test_a_sidecar_and_an_agent(self):
        row, _ = self.node.begin("helped")
        path = f"/instances/{row['instance_id']}/agent-runs"
        harness.background(self.node.call, "POST", path,
                           {"image": "ctfy/busybox", "command": ["busybox", "sleep", "3600"]})
        harness.wait_for(lambda: len(self.node.containers(row["instance_id"])) >= 3, 60, "an agent beside")
        containers = self.node.containers(row["instance_id"])
        self.assertEqual({c["Config"]["Labels"]["ctfy.role"] for c in containers.values()},
                         {"service", "sidecar", "agent"})
        for name, container in containers.items():
            with self.subTest(container=name):
                self.assertLimited(container)
        self.assertStatus(self.node.stop(row["instance_id"]), 204)

    def test_a_solver(self):
        self.assertStatus(self.node.call("POST", "/admin/challenges/helped/trial"), 202)
        solver = self.find("ctfy-solver-")
        self.assertLimited(solver)
        engine.call("POST", f"/containers/{solver['Id']}/kill")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="ctfy-probe-") as directory:
        os.chmod(directory, 0o755)
        probe = os.path.join(directory, "system-calls")
        subprocess.run(["gcc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-static", "-o", probe,
                        os.path.join(HERE, "system-calls.c")], check=True)
        harness.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Names are no way out: what a closed instance looks up is asked of nobody, also where the host's own
name server listens on loopback and the engine would ask it in the host's name.
"""

import os
import re
import socket
import struct
import subprocess
import tempfile
import threading
import time

import own_engine

own_engine.enter_namespace(mounts=True)

import harness
from harness import Node, NodeTest, engine

ANSWER = "192.0.2.7" # of TEST-NET-1 (RFC 5737)
SERVICES = """
services:
  one:
    image: ctfy/busybox
    command: sleep 86400
    init: true
  two:
    image: ctfy/busybox
    command: sleep 86400
    init: true
  glibc:
    image: debian:bookworm-slim
    command: sleep 86400
    init: true
  own:
    image: ctfy/busybox
    command: sleep 86400
    init: true
    dns: 192.0.2.53
"""
SPEC = """
name: Names
category: test
value: 100
questions: [{id: flag, text: f, answer: "flag{...}"}]
egress: %s
"""


class NameServer:
    """On 127.0.0.1 of the host, as dnsmasq and unbound are: every name has one address."""

    def __init__(self):
        self.heard = set()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            query, client = self.socket.recvfrom(512)
            name, kind, end = self._question(query)
            self.heard.add(name)
            answer = struct.pack("!HHHLH4s", 0xC00C, 1, 1, 60, 4, socket.inet_aton(ANSWER)) if kind == 1 else b""
            header = query[:2] + struct.pack("!HHHHH", 0x8180, 1, 1 if answer else 0, 0, 0)
            self.socket.sendto(header + query[12:end] + answer, client)

    @staticmethod
    def _question(query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        return ".".join(labels), struct.unpack("!H", query[at + 1:at + 3])[0], at + 5


def use_name_server():
    """In this program's own view of the file system, and the engine's after it."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False) as conf:
        conf.write("nameserver 127.0.0.1\n")
    subprocess.run(["mount", "--bind", conf.name, "/etc/resolv.conf"], check=True)
    os.unlink(conf.name)
    return NameServer()


names = use_name_server()


def write_challenges(parent):
    for name, egress in (("closed", "false"), ("open", "true")):
        folder = os.path.join(parent, name)
        os.mkdir(folder)
        for file, text in (("challenge.yml", SPEC % egress), ("compose.yml", SERVICES)):
            with open(os.path.join(folder, file), "w") as out:
                out.write(text)
    with open(os.path.join(parent, "policy.yml"), "w") as policy:
        policy.write("allow: [egress]\n")


class NamesTest(NodeTest):
    @classmethod
    def setUpClass(cls):
        cls.own = own_engine.OwnEngine()
        with tempfile.TemporaryDirectory() as challenges:
            write_challenges(challenges)
            cls.node = Node(engine_url="unix://" + cls.own.socket, challenges=challenges,
                            policy=os.path.join(challenges, "policy.yml"))

    @classmethod
    def tearDownClass(cls):
        cls.node.close()
        cls.own.close()

    def look_up(self, challenge, name):
        row, _ = self.node.begin(challenge)
        one = self.node.containers(row["instance_id"])["one"]["Id"]
        self.assertEqual(engine.exec(one, ["nslookup", "two"])[0], 0, "a service by its name")
        return engine.exec(one, ["nslookup", name])[1]

    def test_nor_does_an_agent_in_it(self):
        row, _ = self.node.begin("closed")
        run = self.node.call("POST", f"/instances/{row['instance_id']}/agent-runs",
                             {"image": "ctfy/busybox", "command": ["nslookup", "agent.example.org"]})
        self.assertStatus(run, 200)
        self.assertIn(b"exit_code", run.body)
        self.assertNotIn("agent.example.org", names.heard)

    def asked(self, container, *argv):
        """(exit status, what was said, seconds)."""
        began = time.monotonic()
        code, text = engine.exec(container["Id"], list(argv))
        return code, text, time.monotonic() - began

    def test_a_closed_one_is_told_at_once_that_there_is_no_such_name(self):
        """Who got no answer waited for 10 s: 2 tries of 5 s. Names, their reverses, both families, over UDP
        and TCP, by glibc and by a resolver of its own; also where the challenge names a server that is out of
        reach."""
        row, _ = self.node.begin("closed")
        services = self.node.containers(row["instance_id"])
        gateway = next(iter(services["one"]["NetworkSettings"]["Networks"].values()))["Gateway"]
        trials = {
            "busybox": ("one", "nslookup", "secret.example.org"),
            "busybox, reverse": ("one", "nslookup", "192.0.2.7"),
            "a server of its own": ("own", "nslookup", "secret.example.org"),
            "past the engine": ("one", "nslookup", "secret.example.org", gateway),
            "glibc": ("glibc", "getent", "ahosts", "secret.example.org"),
            "glibc, IPv4": ("glibc", "getent", "ahostsv4", "secret.example.org"),
            "glibc, IPv6": ("glibc", "getent", "ahostsv6", "secret.example.org"),
            "glibc, reverse": ("glibc", "getent", "hosts", "192.0.2.7"),
            "glibc, one label": ("glibc", "getent", "hosts", "nosuchservice"),
            "glibc, TCP": ("glibc", "env", "RES_OPTIONS=use-vc", "getent", "ahosts", "secret.example.org"),
            "glibc, search": ("glibc", "sh", "-c", "cp /etc/resolv.conf /tmp/r; (cat /tmp/r; echo search example.org "
                              "a.example.org) > /etc/resolv.conf; getent hosts secret; cat /tmp/r > /etc/resolv.conf; "
                              "exit 2"),
        }
        for name, (service, *argv) in trials.items():
            with self.subTest(resolver=name):
                code, text, seconds = self.asked(services[service], *argv)
                self.assertNotEqual(code, 0, text)
                self.assertNotIn("timed out", text)
                self.assertLess(seconds, 4, text)
                print(f"{name}: {1000 * seconds:.0f} ms, of which the exec is some 50")
        self.assertEqual(names.heard & {"secret.example.org", "7.2.0.192.in-addr.arpa"}, set())

    def test_services_are_found_meanwhile(self):
        row, _ = self.node.begin("closed")
        services = self.node.containers(row["instance_id"])
        address = next(iter(services["two"]["NetworkSettings"]["Networks"].values()))["IPAddress"]
        for family in ("ahosts", "ahostsv4"):
            code, text, _ = self.asked(services["glibc"], "getent", family, "two")
            self.assertEqual((code, text.split()[0]), (0, address))
        code, text, _ = self.asked(services["glibc"], "getent", "hosts", address)
        self.assertEqual(code, 0, text)
        self.assertIn("two", text)

    def test_the_answers_come_from_the_inside_only(self):
        """The port that questions are redirected to is none for anybody else."""
        text = subprocess.run(["nft", "list", "set", "inet", "ctfy", "responders"], capture_output=True, text=True,
                              check=True).stdout
        port = int(re.search(r"elements = \{ (\d+)", text)[1])
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", port), 1)

    def test_an_open_instance_asks_the_hosts_name_server(self):
        self.assertIn(ANSWER, self.look_up("open", "open.example.org"))
        self.assertIn("open.example.org", names.heard)

    def test_a_closed_one_asks_nobody(self):
        self.assertNotIn(ANSWER, self.look_up("closed", "secret.example.org"))
        self.assertNotIn("secret.example.org", names.heard)


if __name__ == "__main__":
    harness.main()

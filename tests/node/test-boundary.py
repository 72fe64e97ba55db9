#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `ctfy doctor` says of the firewall, with each of its rules there and taken away; in a network namespace,
where a node has set the rules and is gone, so that nobody sets them again.
"""

import fcntl
import os
import re
import socket
import struct
import subprocess
import time
import unittest

import own_engine

own_engine.enter_namespace()

import harness
from harness import Node, NodeTest

CHECKS = ["forged sources", "forged handshakes", "network floods", "closed ports"]
BRIDGE, LAN = "cfyc-doctor", "ctfy-doctor"
SHUT = """table bridge other {
    chain shut { type filter hook forward priority 0; policy drop; }
}
""" # nothing passes a bridge

rules = ""


def setUpModule():
    global rules
    subprocess.run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"], check=True)
    node = Node()
    node.kill() # its rules stay
    unittest.addModuleCleanup(node.close)
    rules = nft("list", "ruleset")


def nft(*argv, text=None):
    return subprocess.run(["nft", *argv], input=text, check=True, capture_output=True, text=True).stdout


def links():
    """What the doctor's probe has among the interfaces."""
    return [name for _, name in socket.if_nameindex() if name.startswith((BRIDGE, LAN))]


def passes():
    """Whether iptables lets pass what stays within the probe's bridge."""
    return BRIDGE in subprocess.run(["iptables", "-w", "-S", "FORWARD"], check=True, capture_output=True, text=True).stdout


def doctor(*before, options=()):
    return subprocess.Popen([*before, harness.CTFY, "doctor", *options], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)


class Doctor(NodeTest):
    def setUp(self):
        nft("-f", "-", text="flush ruleset\n" + rules)

    def examine(self, *before, options=()):
        """(exit status, {check: (state, what was found)})"""
        process = doctor(*before, options=options)
        said, _ = process.communicate(timeout=60)
        found = re.findall(rf"^(\S+) +({'|'.join(CHECKS)}) +(.*)", said, re.MULTILINE)
        self.assertEqual([name for _, name, _ in found], CHECKS, said)
        return process.returncode, {name: (state, text) for state, name, text in found}

    def take_away(self, chain, rule):
        """The rules of the chain that have this in them."""
        handles = re.findall(rf"{rule}.* # handle (\d+)", nft("-a", "list", "chain", "inet", "ctfy", chain))
        self.assertTrue(handles, rule)
        for handle in handles:
            nft("delete", "rule", "inet", "ctfy", chain, "handle", handle)

    def assertFaults(self, *names):
        status, found = self.examine()
        self.assertEqual([name for name in CHECKS if found[name][0] == "FAULT"], list(names), found)
        if names:
            self.assertEqual(status, 1)
        self.assertEqual([found[name][0] for name in CHECKS if name not in names], ["ok"] * (len(CHECKS) - len(names)), found)

    def test_with_all_rules_each_holds_and_nothing_is_left(self):
        before = nft("-s", "list", "ruleset")
        _, found = self.examine()
        self.assertEqual([state for state, _ in found.values()], ["ok"] * len(CHECKS), found)
        self.assertNotIn("apart", str(found))
        self.assertEqual(links(), [])
        self.assertEqual(nft("-s", "list", "ruleset"), before)

    def test_a_forged_source_that_gets_to_the_host_is_told(self):
        self.take_away("prerouting", "fib saddr")
        self.assertFaults("forged sources")

    def test_who_gets_to_the_host_by_a_forged_handshake_is_told(self):
        """Two rules hold it, each by itself."""
        self.take_away("prerouting", "notrack")
        self.assertFaults("network floods")
        self.take_away("prerouting", "fib saddr")
        self.assertFaults("forged sources", "forged handshakes", "network floods")

    def test_who_gets_to_the_host_without_one_is_told_as_well(self):
        self.take_away("input", r"\n\s+drop")
        self.assertFaults("forged handshakes")

    def test_a_flood_that_fills_the_table_is_told(self):
        self.take_away("prerouting", "notrack")
        self.assertFaults("network floods")

    def test_an_unpublished_port_that_is_reached_is_told(self):
        self.take_away("enter", r"\sdrop")
        self.assertFaults("closed ports")

    def test_where_docker_drops_what_is_forwarded_it_is_tried_all_the_same(self):
        subprocess.run(["iptables", "-w", "-P", "FORWARD", "DROP"], check=True)
        self.assertFaults()
        self.assertFalse(passes())
        self.take_away("prerouting", "notrack")
        self.assertFaults("network floods")
        self.take_away("prerouting", "fib saddr")
        self.assertFaults("forged sources", "forged handshakes", "network floods")
        self.take_away("enter", r"\sdrop")
        self.assertFaults("forged sources", "forged handshakes", "network floods") # the policy holds what the rule did

    def test_rules_that_are_gone_are_told_where_networks_are_there(self):
        nft("flush", "ruleset")
        subprocess.run(["ip", "link", "add", "cfyc0123456789a", "type", "bridge"], check=True)
        self.addCleanup(subprocess.run, ["ip", "link", "del", "cfyc0123456789a"], check=True)
        self.assertFaults("forged sources", "forged handshakes", "closed ports") # nothing here tracks connections, so no table is filled

    def test_before_there_is_a_node_the_rules_are_tried_apart(self):
        nft("flush", "ruleset")
        _, found = self.examine()
        for name in CHECKS:
            self.assertEqual(found[name][0], "ok", found)
            self.assertIn("apart", found[name][1])
        self.assertEqual(nft("list", "ruleset"), "")

    def test_what_it_cannot_try_it_says_with_the_reason(self):
        nft("-f", "-", text=SHUT)
        _, found = self.examine()
        for name in CHECKS:
            self.assertEqual(found[name][0], "warning", found)
            self.assertIn("not tried: services of one network do not reach each other", found[name][1])
        self.assertEqual(links(), [])

    def test_without_root_it_says_so(self):
        group = str(os.stat(harness.engine.socket).st_gid)
        _, found = self.examine("setpriv", "--reuid=65534", "--regid=" + group, "--clear-groups")
        for name in CHECKS:
            self.assertEqual(found[name], ("warning", "not tried: that takes root"))

    def test_what_a_killed_one_left_goes_with_the_next(self):
        # Nobody on the bridge hears the other: it waits for that, and is killed then.
        nft("-f", "-", text=SHUT)
        for _ in range(20):
            with doctor() as process:
                while not passes() and process.poll() is None:
                    time.sleep(0.01)
                process.kill()
            if passes():
                break
        self.assertIn(BRIDGE, links())
        self.assertTrue(passes())
        nft("delete", "table", "bridge", "other")
        _, found = self.examine()
        self.assertEqual([state for state, _ in found.values()], ["ok"] * len(CHECKS), found)
        self.assertEqual(links(), [])
        self.assertFalse(passes())

    def test_a_hypervisor_that_32_bit_programs_reach_is_told(self):
        """As the kernel has it: this machine's number, where it has one."""
        number = 0xffffffff
        if os.path.exists("/dev/vsock"):
            with open("/dev/vsock", "rb") as file:
                number = struct.unpack("I", fcntl.ioctl(file, 0x7b9, bytes(4)))[0]
        said, _ = doctor().communicate(timeout=60)
        self.assertEqual(f"beyond this machine ({number})" in said, number != 0xffffffff, said)
        said, _ = doctor(options=["--native-only"]).communicate(timeout=60)
        self.assertNotIn("AF_VSOCK", said)

    def test_two_at_once_take_turns(self):
        """Or one says that the other took too long; neither takes the other's for the firewall's doing."""
        processes = [doctor(), doctor()]
        said = [process.communicate(timeout=60)[0] for process in processes]
        for name in CHECKS:
            self.assertRegex("".join(said), rf"(?m)^ok +{name}")
            for text in said:
                self.assertRegex(text, rf"(?m)^(ok +{name}|warning +{name} +not tried: another one is at it)")
        self.assertEqual(links(), [])


if __name__ == "__main__":
    harness.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""OpenVPN: the profile out of the instance, and a real client that comes in with it."""

import ipaddress
import json
import os
import shutil
import subprocess

import player
from evidence import harness, new_node
from harness import NodeTest, engine, wait_for

node = None
host = player.new_host()


def setUpModule():
    global node
    node = new_node(listen="0.0.0.0", bind="0.0.0.0", public_host=host)


def profile_of(instance_id):
    return node.call("GET", f"/instances/{instance_id}/openvpn-config")


def target_network(instance_id):
    networks = node.containers(instance_id)["target"]["NetworkSettings"]["Networks"]
    return next(iter(networks.values()))


class Profile(NodeTest):
    def test_an_instance_without_the_service_has_none(self):
        shutil.copytree(os.path.join(harness.CHALLENGES, "plain"), os.path.join(node.challenges, "plain"))
        self.assertStatus(node.call("POST", "/admin/rescan-challenges"), 200)
        row, _ = node.begin("plain")
        self.assertError(profile_of(row["instance_id"]), 404)
        self.assertError(profile_of("never-known"), 404)

    def test_it_is_passed_on_byte_for_byte_once_it_is_there(self):
        row, spec = node.begin("vpn-own")
        early = self.assertError(profile_of(row["instance_id"]), 503)
        self.assertGreaterEqual(int(early.headers["Retry-After"]), 1)
        engine.exec(node.containers(row["instance_id"])["openvpn"]["Id"], ["touch", "/go"])
        wait_for(lambda: profile_of(row["instance_id"]).status == 200, 10, "the profile")
        self.assertEqual(profile_of(row["instance_id"]).body,
                         spec["answers"]["flag"].encode() + b"\r\n\0end")

    def test_a_service_that_ended_without_one_is_said_to(self):
        row, _ = node.begin("vpn-dead")
        reply = wait_for(lambda: (r := profile_of(row["instance_id"])).status != 503 and r, 10, "its end")
        self.assertError(reply, 502)
        self.assertIn("openvpn", reply.detail)


class Way(NodeTest):
    def setUp(self):
        if not player.can_be():
            self.skipTest("needs root, openvpn and /dev/net/tun")

    def test_a_player_comes_in_and_no_further(self):
        row, spec = node.begin("vpn")
        self.assertEqual([(e["service"], e["protocol"], e["host"]) for e in row["endpoints"]],
                         [("openvpn", "udp", host)])
        reply = wait_for(lambda: (r := profile_of(row["instance_id"])).status == 200 and r, 10, "the profile")
        self.assertIn(f"remote {host} {row['endpoints'][0]['port']}\n", reply.body.decode())
        network = target_network(row["instance_id"])
        target = f"http://{network['IPAddress']}/"
        somebody = player.Player(host)
        self.addCleanup(somebody.close)
        with self.assertRaises(subprocess.CalledProcessError):
            somebody.fetch(target)
        somebody.connect(reply.body)
        self.assertEqual(somebody.fetch(target), spec["answers"]["flag"])
        with self.assertRaises(subprocess.CalledProcessError): # the node, by the bridge's own address
            somebody.fetch(f"http://{network['Gateway']}:{node.port}/")

        self.assertStatus(node.stop(row["instance_id"]), 204)
        self.assertGone(node, row["instance_id"])
        with self.assertRaises(subprocess.CalledProcessError):
            somebody.fetch(target)

    def test_two_vpns_are_up_at_once(self):
        """Each with addresses of its own: with the same, a player's machine has one tunnel's route for both."""
        somebody = player.Player(host)
        self.addCleanup(somebody.close)
        begun = [node.begin("vpn") for _ in range(2)]
        for row, _ in begun:
            profile = wait_for(lambda r=row: (p := profile_of(r["instance_id"])).status == 200 and p, 10, "the profile")
            somebody.connect(profile.body)
        links = json.loads(somebody.run("ip", "-j", "-4", "addr"))
        mine = [ipaddress.ip_interface(f"{a['local']}/{a['prefixlen']}").network
                for link in links if link["ifname"].startswith("tun") for a in link["addr_info"]]
        self.assertEqual(len(mine), 2, links)
        self.assertFalse(mine[0].overlaps(mine[1]), mine)
        for pool in mine:
            self.assertTrue(pool.subnet_of(ipaddress.ip_network(node.options["subnets"])), pool)
        for row, spec in begun:
            target = target_network(row["instance_id"])["IPAddress"]
            self.assertEqual(somebody.fetch(f"http://{target}/"), spec["answers"]["flag"])


if __name__ == "__main__":
    harness.main()

#!/usr/bin/env python3
"""OpenVPN: the profile out of the instance, and a real client that comes in with it."""

import os
import secrets
import shutil
import subprocess
import tempfile
import unittest

from evidence import harness, new_node
from harness import NodeTest, engine, wait_for

node = None
host = f"10.99.{secrets.randbelow(250)}.1" # as players see it


def setUpModule():
    global node
    node = new_node(listen="0.0.0.0", bind="0.0.0.0", public_host=host)


def run(*argv, **more):
    return subprocess.run(argv, check=True, capture_output=True, text=True, **more).stdout


class Player:
    """A machine of a player's: a network namespace with a wire to the host and nothing else."""

    def __init__(self):
        self.name = "ctfy-" + secrets.token_hex(3)
        self.wire = "cw" + secrets.token_hex(3)
        self.client = None
        self.dir = tempfile.mkdtemp(prefix="ctfy-player-")
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", self.wire, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        run("ip", "addr", "add", f"{host}/24", "dev", self.wire)
        run("ip", "link", "set", self.wire, "up")
        for command in ("addr add %s/24 dev eth0" % (host[:-1] + "2"), "link set eth0 up", "link set lo up"):
            self.run("ip", *command.split())

    def argv(self, *argv):
        return ["nsenter", f"--net=/run/netns/{self.name}", *argv]

    def run(self, *argv, **more):
        return run(*self.argv(*argv), **more)

    def connect(self, profile):
        path = os.path.join(self.dir, "client.ovpn")
        with open(path, "wb") as file:
            file.write(profile)
        self.log = os.path.join(self.dir, "log")
        self.client = subprocess.Popen(self.argv("openvpn", "--config", path, "--log", self.log))
        wait_for(lambda: "Initialization Sequence Completed" in self.words(), 20, self.words)

    def words(self):
        try:
            with open(self.log, errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def fetch(self, url):
        return self.run("curl", "-sS", "--max-time", "5", url)

    def close(self):
        if self.client:
            self.client.terminate()
            self.client.wait()
        run("ip", "link", "del", self.wire)
        run("ip", "netns", "del", self.name)
        shutil.rmtree(self.dir)


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
        if not shutil.which("openvpn") or not os.path.exists("/dev/net/tun") or os.geteuid() != 0:
            self.skipTest("needs root, openvpn and /dev/net/tun")

    def test_a_player_comes_in_and_no_further(self):
        row, spec = node.begin("vpn")
        self.assertEqual([(e["service"], e["protocol"], e["host"]) for e in row["endpoints"]],
                         [("openvpn", "udp", host)])
        reply = wait_for(lambda: (r := profile_of(row["instance_id"])).status == 200 and r, 10, "the profile")
        self.assertIn(f"remote {host} {row['endpoints'][0]['port']}\n", reply.body.decode())
        network = target_network(row["instance_id"])
        target = f"http://{network['IPAddress']}/"
        player = Player()
        self.addCleanup(player.close)
        with self.assertRaises(subprocess.CalledProcessError):
            player.fetch(target)
        player.connect(reply.body)
        self.assertEqual(player.fetch(target), spec["answers"]["flag"])
        with self.assertRaises(subprocess.CalledProcessError): # the node, by the bridge's own address
            player.fetch(f"http://{network['Gateway']}:{node.port}/")

        self.assertStatus(node.stop(row["instance_id"]), 204)
        self.assertGone(node, row["instance_id"])
        with self.assertRaises(subprocess.CalledProcessError):
            player.fetch(target)


if __name__ == "__main__":
    harness.main()

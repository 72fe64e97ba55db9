#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One instance, entered by every way there is: what was recorded of it is whole, and agrees."""

import json
import os
import shutil
import subprocess
import tempfile

import player
from agent import Agent, ready_runtime
from bundle import unpack, verify
from evidence import CHALLENGES, begin_first, check_har, harness, new_node
from harness import NodeTest, engine, wait_for

WEB_PORT, PROXY_PORT, PLAYERS_PORT = 8080, 8080, 9000

host = player.new_host()


def connections(pcap, source, target, port):
    """How many TCP connections of the one the other took, as tshark counts them."""
    query = f"tcp.flags.syn == 1 && tcp.flags.ack == 1 && ip.src == {target} && tcp.srcport == {port} && ip.dst == {source}"
    streams = tshark(pcap, "-Y", query, "-T", "fields", "-e", "tcp.stream").split()
    return len(set(streams))


def tshark(pcap, *more):
    return subprocess.run(["tshark", "-n", "-r", "-", *more], input=pcap, check=True, capture_output=True).stdout.decode()


def status_of(flow):
    """0: there was no answer."""
    return (flow.get("response") or {"status": 0})["status"]


class Together(NodeTest):
    def setUp(self):
        if not player.can_be() or not shutil.which("tshark"):
            self.skipTest("needs root, openvpn, /dev/net/tun and tshark")
        self.node = new_node(listen="0.0.0.0", bind="0.0.0.0", public_host=host)
        shutil.copytree(os.path.join(CHALLENGES, "recorded", "web"), os.path.join(self.node.challenges, "everything", "web"))
        self.assertStatus(self.node.call("POST", "/admin/rescan-challenges"), 200)
        self.row, self.spec = begin_first(self.node, "everything")
        self.id = self.row["instance_id"]
        self.flag = self.spec["answers"]["flag"]
        self.addresses = {
            service: next(iter(container["NetworkSettings"]["Networks"].values()))["IPAddress"]
            for service, container in self.node.containers(self.id).items()}

    def get(self, path):
        return self.assertStatus(self.node.call("GET", f"/instances/{self.id}{path}"), 200)

    def flows(self):
        return self.get("/traffic").json["flows"]

    def flows_if_all(self, urls):
        flows = self.flows()
        return {f["request"]["url"] for f in flows} >= set(urls) and flows

    def play(self, somebody):
        """By the published port; a connection for each URL, and some before it was open."""
        port = next(e["port"] for e in self.row["endpoints"] if e["service"] == "web")
        def answer():
            try:
                return somebody.fetch(f"http://{host}:{port}/flag?player=0")
            except subprocess.CalledProcessError:
                return None
        self.assertEqual(wait_for(answer, 60, "the service"), self.flag)
        urls = [f"http://{host}:{port}/log?player={i}" for i in range(1, 4)]
        for url in urls:
            somebody.fetch(url)
        return urls

    def attack(self):
        """As an agent; four connections to the proxy."""
        agent = Agent(ready_runtime(self.node, self.id))
        self.addCleanup(agent.close)
        networks = engine.inspect(agent.id)["NetworkSettings"]["Networks"]
        self.addresses["agent"] = next(iter(networks.values()))["IPAddress"]
        proxy = self.node.containers(self.id)["ctfy-proxy"]
        self.addresses["ctfy-proxy"] = next(iter(proxy["NetworkSettings"]["Networks"].values()))["IPAddress"]
        urls = [f"http://web:{WEB_PORT}/flag?agent=1", "https://web:8443/flag?agent=2",
                f"http://web:{WEB_PORT}/log?agent=3", "https://web:8443/log?agent=4"]
        for url in urls:
            code, text = agent.fetch(url)
            self.assertEqual(code, 0, text)
            self.assertEqual(text, self.flag if "flag" in url else "logged")
        return urls

    def tunnel(self, somebody):
        """Through the VPN, past the recorder; two connections."""
        profile = wait_for(lambda: (r := self.node.call("GET", f"/instances/{self.id}/openvpn-config")).status == 200 and r,
                           30, "the profile").body
        somebody.connect(profile)
        for i in range(1, 3):
            self.assertEqual(somebody.fetch(f"http://{self.addresses['web']}:{WEB_PORT}/log?vpn={i}"), "logged")

    def check_flows(self, flows, urls, somebody):
        flows = [f for f in flows if f.get("protocol") != "raw"] # who came too early was reset before a word
        told = [flow["request"]["url"] for flow in flows]
        self.assertEqual([url for url in told if "player=0" not in url], urls)
        self.assertEqual([f["started_at"] for f in flows], sorted(f["started_at"] for f in flows))
        for flow in flows:
            if "player=" in flow["request"]["url"]:
                self.assertEqual((flow["via"], flow["client"].rsplit(":", 1)[0]), ("port", somebody.address))
            else:
                self.assertEqual((flow["via"], flow["client"].rsplit(":", 1)[0]), ("proxy", self.addresses["agent"]))
        for flow in flows:
            if "/flag" in flow["request"]["url"] and "player=0" not in flow["request"]["url"]:
                self.assertEqual(flow["response"]["body"]["text"], self.flag)

    def check_har(self, har, flows):
        check_har(har)
        self.assertEqual([(e["request"]["url"], e["response"]["status"]) for e in har["log"]["entries"]],
                         [(f["request"]["url"], status_of(f)) for f in flows])

    def check_packets(self, pcap, flows, somebody):
        at = self.addresses
        for source, target, port, via in ((somebody.address, at["ctfy-recorder"], PLAYERS_PORT, "port"),
                                          (at["agent"], at["ctfy-proxy"], PROXY_PORT, "proxy")):
            self.assertEqual(connections(pcap, source, target, port), len([f for f in flows if f["via"] == via]))
        self.assertEqual(connections(pcap, at["openvpn"], at["web"], WEB_PORT), 2)
        asked = tshark(pcap, "-Y", f"http.request && ip.dst == {at['web']} && ip.src in {{{at['ctfy-recorder']}, {at['ctfy-proxy']}}}",
                       "-T", "fields", "-e", "http.request.uri").split()
        answered = [f["request"]["url"] for f in flows if status_of(f) == 200]
        self.assertEqual(asked, ["/" + url.split("/", 3)[3] for url in answered if url.startswith("http:")])

    def check_bundle(self, flows):
        with tempfile.TemporaryDirectory(prefix="ctfy-together-") as folder:
            path = os.path.join(folder, "evidence.tar.zst")
            data = self.get("/evidence").body
            with open(path, "wb") as file:
                file.write(data)
            self.assertEqual(verify(path)[0], 0, verify(path)[1])
            parts = unpack(path)
            with open(path, "wb") as file:
                file.write(data[:len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1:])
            self.assertEqual(verify(path)[0], 1)
        self.assertEqual([json.loads(line)["id"] for line in parts["flows.jsonl"].splitlines()], [f["id"] for f in flows])
        return parts

    def test_all_ways_in_leave_evidence_that_agrees(self):
        somebody = player.Player(host)
        self.addCleanup(somebody.close)
        urls = self.play(somebody) + self.attack()
        self.tunnel(somebody)
        flows = wait_for(lambda: self.flows_if_all(urls), 60, "the last flow")
        self.check_flows(flows, urls, somebody)
        self.check_har(self.get("/traffic?format=har").json, flows)
        pcap = self.get("/pcap").body
        self.check_packets(pcap, flows, somebody)
        said = self.get("/container-logs?service=web").json["logs"]
        for line in ("player=1", "player=2", "player=3", "agent=3", "agent=4", "vpn=1", "vpn=2"):
            self.assertIn(f"web | {line}\n", said)
        self.check_bundle(flows)

        self.assertStatus(self.node.stop(self.id), 204)
        self.assertGone(self.node, self.id)
        parts = self.check_bundle(flows)
        self.check_packets(parts["capture.pcap"], flows, somebody)
        self.assertIn(b"web | vpn=2", parts["logs.txt"])
        self.assertRegex(parts["logs.txt"], rb"ctfy-capture \| \d+ packets dropped by kernel")


if __name__ == "__main__":
    harness.main()

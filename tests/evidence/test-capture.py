#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Packet capture: what tcpdump reads out of /pcap, while it grows and after the end."""

import os
import shutil
import subprocess
import unittest

from evidence import harness, new_node
from harness import NodeTest, engine, fetch_soon, parallel, fetch, wait_for

node = None


def setUpModule():
    global node
    node = new_node()


def capture(instance_id):
    return node.call("GET", f"/instances/{instance_id}/pcap")


def packets(pcap, expression=""):
    """Lines of `tcpdump -r`, with times; the file must be whole."""
    result = subprocess.run(["tcpdump", "-n", "-tt", "-r", "-", *expression.split()], input=pcap,
                            capture_output=True, check=True)
    assert b"truncated" not in result.stderr, result.stderr
    return result.stdout.decode().splitlines()


def handshakes(pcap, port):
    """Who connected there: a first packet that a full backlog dropped is sent again, and counts once."""
    return {line.split()[2] for line in packets(pcap, f"dst port {port} and tcp[tcpflags] == tcp-syn")}


class Capture(NodeTest):
    def setUp(self):
        if not shutil.which("tcpdump"):
            self.skipTest("needs tcpdump")

    def test_an_instance_that_does_not_ask_has_none(self):
        shutil.copytree(os.path.join(harness.CHALLENGES, "plain"), os.path.join(node.challenges, "plain"))
        self.assertStatus(node.call("POST", "/admin/rescan-challenges"), 200)
        row, _ = node.begin("plain")
        self.assertError(capture(row["instance_id"]), 404)
        self.assertError(capture("never-known"), 404)

    def test_all_that_is_said_is_captured(self):
        row, spec = node.begin("watched")
        instance_id = row["instance_id"]
        port = row["endpoints"][0]["port"]
        self.assertStatus(capture(instance_id), 200)
        self.assertEqual(fetch_soon("127.0.0.1", port), spec["answers"]["flag"])
        # The file is behind by a moment; when the answer's end is in it, so is all before.
        wait_for(lambda: packets(capture(instance_id).body, "src port 8080 and tcp[tcpflags] & tcp-fin != 0"),
                 60, "the first answer's end")
        count = len(handshakes(capture(instance_id).body, 8080))
        parallel([lambda: fetch("127.0.0.1", port)] * 20)
        containers = node.containers(instance_id)
        store = next(iter(containers["store"]["NetworkSettings"]["Networks"].values()))["IPAddress"]
        ask = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | busybox nc {store} 80"
        self.assertIn("stored", engine.exec(containers["web"]["Id"], ["sh", "-c", ask])[1])
        wait_for(lambda: len(handshakes(capture(instance_id).body, 80)) == 1, 60, "the inner connection")
        wait_for(lambda: len(handshakes(capture(instance_id).body, 8080)) == count + 20, 60, "all connections")
        pcap = capture(instance_id).body
        times = [float(line.split()[0]) for line in packets(pcap)]
        self.assertEqual(times, sorted(times))
        self.assertIn(spec["answers"]["flag"].encode(), pcap)
        self.assertIn(b"stored", pcap)

        self.assertStatus(node.stop(instance_id), 204)
        self.assertGone(node, instance_id)
        after = self.assertStatus(capture(instance_id), 200).body
        self.assertGreaterEqual(len(packets(after)), len(packets(pcap)))

    def test_of_headers_only_it_tells_who_spoke_and_not_what(self):
        folder = os.path.join(node.challenges, "headers")
        shutil.copytree(os.path.join(node.challenges, "watched"), folder)
        with open(os.path.join(folder, "challenge.yml")) as file:
            text = file.read().replace("capture: true", "capture: headers").replace("name: Watched", "name: Headers")
        with open(os.path.join(folder, "challenge.yml"), "w") as file:
            file.write(text)
        self.assertStatus(node.call("POST", "/admin/rescan-challenges"), 200)
        row, spec = node.begin("headers")
        port = row["endpoints"][0]["port"]
        self.assertEqual(fetch_soon("127.0.0.1", port), spec["answers"]["flag"])
        wait_for(lambda: handshakes(capture(row["instance_id"]).body, 8080), 60, "the first connection")
        before = len(handshakes(capture(row["instance_id"]).body, 8080))
        fetch("127.0.0.1", port)
        wait_for(lambda: len(handshakes(capture(row["instance_id"]).body, 8080)) == before + 1, 20, "the connection")
        self.assertStatus(node.stop(row["instance_id"]), 204)
        pcap = capture(row["instance_id"]).body
        self.assertNotIn(spec["answers"]["flag"].encode(), pcap)
        self.assertNotIn(b"Content-", pcap)

    def test_what_was_captured_outlives_the_end_of_tcpdump(self):
        row, _ = node.begin("watched")
        instance_id, port = row["instance_id"], row["endpoints"][0]["port"]
        fetch_soon("127.0.0.1", port)
        wait_for(lambda: handshakes(capture(instance_id).body, 8080), 60, "the first connection")
        before = handshakes(capture(instance_id).body, 8080)
        sidecar = node.containers(instance_id)["ctfy-capture"]
        os.kill(sidecar["State"]["Pid"], 9)
        def again():
            state = engine.inspect(sidecar["Id"])["State"]
            return state["Running"] and state["Pid"] != sidecar["State"]["Pid"]
        wait_for(again, 30, "a capture that runs again")
        def goes_on():
            fetch("127.0.0.1", port)
            return len(handshakes(capture(instance_id).body, 8080)) > len(before)
        wait_for(goes_on, 30, "another connection")
        self.assertLessEqual(before, handshakes(capture(instance_id).body, 8080))

    def test_sidecars_are_containers_but_no_services(self):
        row, _ = node.begin("watched")
        containers = node.call("GET", f"/instances/{row['instance_id']}/containers").json
        self.assertEqual(sorted((c["service"], c["role"]) for c in containers),
                         [("ctfy-capture", "sidecar"), ("ctfy-capture-2", "sidecar"),
                          ("store", "service"), ("web", "service")])
        services = node.status(row["instance_id"]).json["services"]
        self.assertEqual([s["service"] for s in services], ["store", "web"])
        self.assertNotIn("ctfy-capture", str(node.health(row["instance_id"])))

    def test_a_service_has_no_hold_on_it(self):
        row, _ = node.begin("watched")
        containers = node.containers(row["instance_id"])
        for name in ("web", "store"):
            self.assertEqual(containers[name]["Mounts"], [])
        sidecar = containers["ctfy-capture"]["HostConfig"]
        self.assertEqual(sidecar["CapDrop"], ["ALL"])
        self.assertNotIn("NET_ADMIN", sidecar["CapAdd"])
        self.assertGreater(sidecar["Memory"], 0)
        self.assertGreater(sidecar["PidsLimit"], 0)


if __name__ == "__main__":
    harness.main()

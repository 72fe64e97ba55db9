#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The end of an instance: what a service still answers is recorded, too."""

import http.client
import itertools
import json
import os
import tempfile
import threading

from bundle import unpack
from evidence import begin_first, harness, new_node
from harness import NodeTest, fetch_soon, wait_for

node = None


def setUpModule():
    global node
    node = new_node()


class Client(threading.Thread):
    """Asks a service as fast as it answers, each time by another path, until it is told that it is over."""

    def __init__(self, port, word):
        super().__init__(daemon=True)
        self.port, self.word = port, word
        self.answered = []
        self.over = threading.Event()

    def ask(self, path):
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            conn.request("GET", path)
            return conn.getresponse().status in (200, 404)
        except (OSError, http.client.HTTPException):
            return False
        finally:
            conn.close()

    def run(self):
        for count in itertools.count():
            if self.over.is_set():
                return
            path = f"/{self.word}-{count}"
            if self.ask(path):
                self.answered.append(path)


def parts_of(instance_id):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "bundle")
        with open(path, "wb") as file:
            file.write(node.call("GET", f"/instances/{instance_id}/evidence").body)
        return unpack(path)


class Stop(NodeTest):
    def stop_under_fire(self, challenge):
        """(instance's id, paths that were answered)"""
        row, _ = begin_first(node, challenge)
        port = row["endpoints"][0]["port"]
        fetch_soon("127.0.0.1", port, "/", seconds=60)
        clients = [Client(port, f"during-{i}") for i in range(3)]
        for client in clients:
            client.start()
        wait_for(lambda: all(len(client.answered) > 3 for client in clients), 60, "requests on their way")
        self.assertStatus(node.stop(row["instance_id"]), 204)
        for client in clients:
            client.over.set()
            client.join(60)
        return row["instance_id"], [path for client in clients for path in client.answered]

    def check_capture(self, instance_id, answered):
        pcap = node.call("GET", f"/instances/{instance_id}/pcap").body
        self.assertEqual([path for path in answered if f"GET {path} ".encode() not in pcap], [])

    def test_what_is_answered_during_a_stop_is_in_the_packets(self):
        self.check_capture(*self.stop_under_fire("watched"))

    def test_what_is_answered_during_a_stop_is_in_the_flows_too(self):
        instance_id, answered = self.stop_under_fire("recorded")
        flows = node.call("GET", f"/instances/{instance_id}/traffic").json["flows"]
        urls = [flow["request"]["url"].split("/", 3) for flow in flows] # a connection that asked nothing has no path
        recorded = {"/" + parts[3] for parts in urls if len(parts) == 4}
        self.assertEqual([path for path in answered if path not in recorded], [])
        self.check_capture(instance_id, answered)

    def test_services_end_before_what_records_them(self):
        row, _ = begin_first(node, "recorded")
        self.assertStatus(node.stop(row["instance_id"]), 204)
        ended = {True: [], False: []}
        for container in json.loads(parts_of(row["instance_id"])["containers.json"]):
            is_sidecar = container["Config"]["Labels"]["ctfy.role"] == "sidecar"
            ended[is_sidecar].append(container["State"]["FinishedAt"])
        self.assertNotIn("0001-01-01T00:00:00Z", ended[True] + ended[False])
        self.assertLess(max(ended[False]), min(ended[True]))


if __name__ == "__main__":
    harness.main()

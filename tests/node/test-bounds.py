#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A node's bounds: how many instances, which ports, which subnets; and what is said when they are met."""

import ipaddress
import os
import shutil
import sqlite3
import tempfile

import harness
from harness import EngineProxy, Node, NodeTest, engine, fetch_soon, free_ports, free_subnets, parallel


class Bounds(NodeTest):
    def node(self, **options):
        made = Node(**options)
        self.addCleanup(made.close)
        return made

    def test_capacity(self):
        node = self.node(capacity=2)
        self.assertEqual(node.call("GET", "/health").json["capacity"], 2)
        failed = node.spec("no-entrypoint")
        self.assertError(node.post(failed), 502) # takes no place
        rows = parallel([lambda: node.begin("plain")] * 2)
        self.assertEqual(node.running(), 2)
        refused = node.spec("plain")
        for respond_async in [False, True]:
            reply = self.assertError(node.post(refused, respond_async=respond_async), 503)
            self.assertIn("2/2", reply.detail)
        self.assertGone(node, refused["instance_id"])
        self.assertError(node.status(refused["instance_id"]), 404)
        self.assertStatus(node.post(rows[0][1]), 200) # one that is there already is still found
        self.assertStatus(node.stop(rows[0][0]["instance_id"]), 204)
        self.assertStatus(node.post(refused), 201)

    def test_capacity_under_a_rush(self):
        node = self.node(capacity=3)
        replies = parallel([lambda: node.post(node.spec("plain"))] * 8)
        self.assertEqual(sorted(r.status for r in replies), [201] * 3 + [503] * 5, replies)
        self.assertEqual(node.running(), 3)

    def test_capacity_is_remembered(self):
        node = self.node(capacity=1)
        row, _ = node.begin("plain")
        node.restart()
        self.assertEqual(node.running(), 1)
        self.assertIn("1/1", self.assertError(node.post(node.spec("plain")), 503).detail)

    def test_a_timeline_keeps_the_newest_of_a_kind_and_counts_the_others(self):
        node = self.node()
        row, _ = node.begin("plain")
        path = f"/instances/{row['instance_id']}/timeline"
        with sqlite3.connect(os.path.join(node.state, "node.db"), timeout=60) as db:
            db.executemany("INSERT INTO event (instance_id, at, event, detail) VALUES (?, ?, 'start', ?)",
                           [(row["instance_id"], 1 << 42, str(i)) for i in range(1200)])
        events = node.call("GET", path).json["events"]
        told = [event["detail"] for event in events if event["event"] == "start"]
        self.assertEqual(told, [str(i) for i in range(1200)][-1000:])
        self.assertIn("running", [event["event"] for event in events])
        before, = [event["detail"] for event in events if event["event"] == "dropped"]
        self.assertRegex(before, "^20[0-9] times start$")

    def test_promised_memory_and_processors(self):
        """What the node promises is told before and after, and what is told is what counts."""
        node = self.node(memory="800m", cpus=4)
        rows = {row["challenge_id"]: row for row in
                node.call("GET", "/admin/challenges/build-state").json["rows"]}
        size = {"memory": 512 << 20, "nano_cpus": 10 ** 9} # the defaults of one service
        self.assertLessEqual(size.items(), rows["plain"].items())
        self.assertEqual(rows["pair"]["memory"], 2 * size["memory"])
        self.assertPromised(node, 0, 0)
        row, _ = node.begin("plain")
        self.assertPromised(node, size["memory"], size["nano_cpus"])
        self.assertIn("memory", self.assertError(node.post(node.spec("plain")), 503).detail)
        node.restart()
        self.assertPromised(node, size["memory"], size["nano_cpus"])
        self.assertStatus(node.stop(row["instance_id"]), 204)
        self.assertPromised(node, 0, 0)

    def assertPromised(self, node, memory, nano_cpus):
        health = node.call("GET", "/health").json
        self.assertEqual({name: health[name] for name in
                          ["memory", "memory_promised", "nano_cpus", "nano_cpus_promised"]},
                         {"memory": 800 << 20, "memory_promised": memory,
                          "nano_cpus": 4 * 10 ** 9, "nano_cpus_promised": nano_cpus})

    def test_ports(self):
        first, last = free_ports(2)
        node = self.node(ports=(first, last))
        rows = [row for row, _ in parallel([lambda: node.begin("web")] * 2)]
        self.assertEqual(sorted(r["endpoints"][0]["port"] for r in rows), [first, last])
        spec = node.spec("web")
        reply = self.assertError(node.post(spec), 502, 503)
        self.assertRegex(reply.detail.lower(), "port")
        self.assertGone(node, spec["instance_id"])
        node.begin("plain") # needs none
        node.restart()
        self.assertError(node.post(spec), 502, 503)
        self.assertStatus(node.stop(rows[0]["instance_id"]), 204)
        row, spec = node.begin("web")
        self.assertEqual(row["endpoints"][0]["port"], rows[0]["endpoints"][0]["port"])
        self.assertEqual(fetch_soon("127.0.0.1", row["endpoints"][0]["port"]), spec["answers"]["flag"])

    def test_subnets(self):
        base = ipaddress.ip_network(free_subnets())
        small = next(base.subnets(new_prefix=25)) # how it is cut is the node's choice
        node = self.node(subnets=str(small))
        begun = []
        while True:
            spec = node.spec("plain")
            reply = node.post(spec)
            if reply.status != 201:
                break
            begun.append(spec["instance_id"])
            self.assertLessEqual(len(begun), 32, "subnets of a /25 without end")
        self.assertError(reply, 502, 503)
        self.assertRegex(reply.detail.lower(), "subnet|address|network")
        self.assertGone(node, spec["instance_id"])
        self.assertGreater(len(begun), 0)
        seen = set()
        for instance_id in begun:
            for container in node.containers(instance_id).values():
                for network in container["NetworkSettings"]["Networks"].values():
                    address = ipaddress.ip_address(network["IPAddress"])
                    self.assertIn(address, small)
                    seen.add(network["NetworkID"])
        self.assertEqual(len(seen), len(begun))
        self.assertStatus(node.stop(begun[0]), 204)
        self.assertStatus(node.post(spec), 201)
        node.restart()
        self.assertError(node.post(node.spec("plain")), 502, 503)
        self.assertRunning(node, spec["instance_id"])

    def test_failures_use_nothing_up(self):
        """Neither subnets nor ports, of which there are few."""
        proxy = EngineProxy(tempfile.mkdtemp(prefix="ctfy-node-test-"))
        self.addCleanup(shutil.rmtree, os.path.dirname(proxy.path), True)
        self.addCleanup(proxy.close)
        small = next(ipaddress.ip_network(free_subnets()).subnets(new_prefix=26))
        node = self.node(engine_url=proxy.url, subnets=str(small), ports=free_ports(1), ready_networks=1)
        for pattern in [r"POST \S*/networks/create", r"POST \S*/containers/create"]:
            proxy.refuse(pattern, 500, "not today", times=1000)
            replies = [node.post(node.spec("web")) for _ in range(8)]
            proxy.refusals.clear()
            if pattern.endswith("networks/create"): # one was ready, perhaps, and has taken the port
                begun = [r.json["instance_id"] for r in replies if r.status == 201]
                self.assertLessEqual(len(begun), 1)
                for instance_id in begun:
                    self.assertStatus(node.stop(instance_id), 204)
            else:
                self.assertEqual([r.status for r in replies], [502] * 8, replies)
            row, _ = node.begin("web")
            self.assertStatus(node.stop(row["instance_id"]), 204)

    def test_two_networks_need_two_subnets(self):
        """An instance that gets only half of what it needs gives that half back."""
        base = ipaddress.ip_network(free_subnets())
        node = self.node(subnets=str(next(base.subnets(new_prefix=27))))
        replies = [node.post(node.spec("nets")) for _ in range(6)]
        if replies[-1].status == 201:
            self.skipTest("the subnets are smaller than this test thinks")
        room = [r.json["instance_id"] for r in replies if r.status == 201]
        for instance_id in room:
            self.assertStatus(node.stop(instance_id), 204)
        again = [node.post(node.spec("nets")) for _ in range(len(room))]
        self.assertEqual([r.status for r in again], [201] * len(room), again)

    def test_a_subnet_that_somebody_else_has_is_walked_around(self):
        base = ipaddress.ip_network(free_subnets())
        half = next(base.subnets(new_prefix=25))
        taken = next(half.subnets(new_prefix=26))
        made = engine.json("POST", "/networks/create", {
            "Name": harness.new_id("squatter"), "IPAM": {"Config": [{"Subnet": str(taken)}]}})
        self.addCleanup(engine.call, "DELETE", f"/networks/{made['Id']}")
        node = self.node(subnets=str(half))
        row, _ = node.begin("plain")
        container = node.containers(row["instance_id"])["one"]
        address = next(iter(container["NetworkSettings"]["Networks"].values()))["IPAddress"]
        self.assertNotIn(ipaddress.ip_address(address), taken)


if __name__ == "__main__":
    harness.main()

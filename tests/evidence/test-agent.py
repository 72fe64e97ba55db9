#!/usr/bin/env python3
"""Agents: a container that is attached as /agent-runtime says, and what is recorded of it."""

import os
import shutil

from agent import Agent, ready_runtime
from evidence import begin_first, harness, new_node
from harness import NodeTest, engine

node = None
row = None
flag = None


def setUpModule():
    global node, row, flag
    node = new_node(listen="0.0.0.0")
    row, spec = begin_first(node, "recorded")
    flag = spec["answers"]["flag"]


def runtime(instance_id=None):
    return node.call("GET", f"/instances/{instance_id or row['instance_id']}/agent-runtime")


class Attach(NodeTest):
    def test_an_agents_http_and_https_are_recorded(self):
        told = ready_runtime(node, row["instance_id"])
        self.assertEqual(told["provider"], "docker")
        self.assertEqual(told["endpoints"], row["endpoints"])
        self.assertIn("BEGIN CERTIFICATE", told["ca_pem"])
        self.assertNotIn("PRIVATE", told["ca_pem"])
        self.assertEqual(told["env"]["https_proxy"], told["proxy_url"])
        self.assertIn("web", [c["service"] for c in told["docker"]["containers"]])
        agent = Agent(told)
        self.addCleanup(agent.close)
        self.assertEqual(agent.fetch("http://web:8080/flag?agent"), (0, flag))
        self.assertEqual(agent.fetch("https://web:8443/flag?secret"), (0, flag))
        flows = node.call("GET", f"/instances/{row['instance_id']}/traffic").json["flows"]
        some = {f["request"]["url"]: f for f in flows if "//web:" in f["request"]["url"]}
        self.assertEqual(list(some), ["http://web:8080/flag?agent", "https://web:8443/flag?secret"])
        for flow in some.values():
            self.assertEqual(flow["response"]["body"]["text"], flag)

    def test_the_proxy_is_no_way_out(self):
        told = ready_runtime(node, row["instance_id"])
        agent = Agent(told)
        self.addCleanup(agent.close)
        place = engine.inspect(agent.id)["NetworkSettings"]["Networks"]
        gateway = next(iter(place.values()))["Gateway"]
        code, text = agent.fetch(f"http://{gateway}:{node.port}/api/v1/health")
        self.assertNotEqual(code, 0, text)

    def test_an_instance_without_recorder_can_be_joined_all_the_same(self):
        shutil.copytree(os.path.join(harness.CHALLENGES, "plain"), os.path.join(node.challenges, "plain"))
        self.assertStatus(node.call("POST", "/admin/rescan-challenges"), 200)
        begun, _ = node.begin("plain")
        told = self.assertStatus(runtime(begun["instance_id"]), 200).json
        self.assertIsNone(told["proxy_url"])
        self.assertEqual(told["env"], {})
        strange = Agent(told)
        self.addCleanup(strange.close)
        ours = Agent(told, told["docker"]["labels"])
        self.addCleanup(ours.close)
        self.assertStatus(node.stop(begun["instance_id"]), 204)
        self.assertGone(node, begun["instance_id"])
        self.assertEqual(engine.call("GET", f"/containers/{ours.id}/json")[0], 404)
        self.assertEqual(engine.inspect(strange.id)["NetworkSettings"]["Networks"], {})
        self.assertError(runtime(begun["instance_id"]), 409)
        self.assertError(runtime("never-known"), 404)


if __name__ == "__main__":
    harness.main()

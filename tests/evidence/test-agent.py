#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Agents: a container that is attached as /agent-runtime says, and what is recorded of it."""

import http.client
import json
import os
import shutil
import socket
import tempfile

from agent import Agent, ready_runtime
from bundle import unpack, verify
from evidence import begin_first, harness, new_node
from harness import NodeTest, engine, fetch_soon, wait_for

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


class Run(NodeTest):
    def run_agent(self, instance_id=None, image="ctfy/recorder", **more):
        path = f"/instances/{instance_id or row['instance_id']}/agent-runs"
        return node.call("POST", path, {"image": image, **more}, timeout=100)

    def lines(self, reply):
        self.assertStatus(reply, 200)
        return [json.loads(line) for line in reply.body.decode().split("\n") if line]

    def text(self, lines, stream="stdout"):
        return "".join(line["text"] for line in lines if line.get("stream") == stream)

    def test_what_it_writes_and_how_it_ends_is_told(self):
        ready_runtime(node, row["instance_id"])
        lines = self.lines(self.run_agent(image="ctfy/busybox", env={"WHO": "grüße"}, command=[
            "sh", "-c", 'echo "$WHO $https_proxy"; echo bad >&2; test -s /etc/ctfy/ca.pem && exit 7']))
        self.assertTrue(lines[0]["run_id"])
        self.assertTime(lines[0]["started_at"])
        self.assertRegex(self.text(lines), r"^grüße http://[0-9.]+:8080\n$")
        self.assertEqual(self.text(lines, "stderr"), "bad\n")
        self.assertEqual((lines[-1]["exit_code"], lines[-1]["oom_killed"]), (7, False))
        self.assertGreaterEqual(lines[-1]["duration_ms"], 0)

    def test_much_of_it_arrives_whole(self):
        lines = self.lines(self.run_agent(image="ctfy/busybox", command=["sh", "-c", "seq 1 100000"]))
        self.assertEqual(self.text(lines), "".join(f"{i}\n" for i in range(1, 100001)))

    def test_its_transcript_is_evidence_and_the_instance_is_none_the_worse(self):
        begun, _ = node.begin("recorded")
        own = begun["instance_id"]
        fetch_soon("127.0.0.1", begun["endpoints"][0]["port"], "/flag", seconds=60)
        run_id = self.lines(self.run_agent(own, "ctfy/busybox", command=["sh", "-c", "echo did; exit 1"]))[0]["run_id"]
        self.assertEqual([s["service"] for s in node.status(own).json["services"]], ["web"])
        self.assertTrue(node.health(own)["is_healthy"])
        going = harness.background(self.run_agent, own, "ctfy/busybox")
        wait_for(lambda: len(self.agents(own)) == 2, 30, lambda: self.agents(own))
        self.assertStatus(node.stop(own), 204)
        self.assertGone(node, own)
        going.result(60)
        agents = self.agents(own)
        self.assertEqual([a["image"] for a in agents], ["ctfy/busybox"] * 2)
        mine, = [a for a in agents if a["run_id"] == run_id]
        self.assertEqual((mine["exit_code"], mine["stdout"], mine["stderr"], mine["command"]),
                         (1, "did\n", "", ["sh", "-c", "echo did; exit 1"]))
        self.assertGreaterEqual(mine["duration_ms"], 0)

    def agents(self, instance_id):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "bundle")
            with open(path, "wb") as file:
                file.write(node.call("GET", f"/instances/{instance_id}/evidence").body)
            self.assertEqual(verify(path)[0], 0, verify(path)[1])
            return json.loads(unpack(path).get("agents.json", b"[]"))

    def test_who_leaves_ends_it(self):
        conn = http.client.HTTPConnection("127.0.0.1", node.port, timeout=60)
        conn.request("POST", f"/api/v1/instances/{row['instance_id']}/agent-runs",
                     json.dumps({"image": "ctfy/busybox", "command": ["sleep", "4321"]}),
                     {"Authorization": f"Bearer {node.token}", "Content-Type": "application/json"})
        run_id = json.loads(conn.getresponse().readline())["run_id"]
        name = f"ctfy-agent-{run_id}"
        self.assertTrue(engine.inspect(name)["State"]["Running"])
        conn.sock.shutdown(socket.SHUT_RDWR)
        wait_for(lambda: not engine.inspect(name)["State"]["Running"], 60, "its end")

    def test_it_is_limited(self):
        lines = self.lines(self.run_agent(image="ctfy/busybox", command=["true"]))
        told = engine.inspect(f"ctfy-agent-{lines[0]['run_id']}")["HostConfig"]
        self.assertGreater(told["Memory"], 0)
        self.assertGreater(told["PidsLimit"], 0)
        self.assertIn("no-new-privileges:true", told["SecurityOpt"])
        self.assertFalse(told["Privileged"])

    def test_what_cannot_be_is_said(self):
        self.assertError(self.run_agent("never-known"), 404)
        self.assertError(node.call("POST", f"/instances/{row['instance_id']}/agent-runs", {}), 422)
        lines = self.lines(self.run_agent(image="ctfy/busybox", command=["no-such-program"]))
        self.assertEqual(lines[-1]["exit_code"], 127)
        self.assertIn("no-such-program", self.text(lines, "stderr"))


if __name__ == "__main__":
    harness.main()

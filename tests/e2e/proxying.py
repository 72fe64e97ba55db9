#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a node has to tell of an instance, as the platform passes it on: to organisers of any, to players
of their own."""

import json
import unittest

import cluster
import evidence
from cluster import Platform, Team, harness
from websocket import BINARY, CLOSE, TEXT, Refused, WebSocket

platform = None
node = None
team = None
row = None


def setUpModule():
    global platform, node, team, row
    platform = Platform(evidence.CHALLENGES)
    unittest.addModuleCleanup(platform.close)
    node = evidence.new_node()
    platform.join("n1", node)
    team = Team(platform, "rockets")
    row = team.start("watched")
    node.ids.add(row["id"])
    cluster.page(row)


def of_instance(what, **more):
    return platform.call("GET", f"/admin/instances/{row['id']}/{what}", **more)


def fetched(what):
    """The bytes; what the node says of the same has to be there at the same time."""
    reply = of_instance(what)
    if reply.status != 200:
        raise AssertionError(f"{what}: {reply}\n{platform.tail()}")
    return reply


class Proxying(harness.NodeTest):
    def test_containers_are_those_that_the_engine_runs(self):
        told = fetched("containers").json["containers"]
        self.assertEqual({c["container_id"] for c in told},
                         set(node.made(row["id"])["container"]))

    def test_logs_are_text(self):
        reply = fetched("container-logs?tail=5&service=web")
        self.assertTrue(reply.headers["Content-Type"].startswith("text/plain"))

    def test_a_capture_is_a_capture(self):
        reply = fetched("pcap")
        self.assertIn(reply.body[:4], (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4"))
        self.assertIn(f"watched-{row['id']}.pcap", reply.headers["Content-Disposition"])

    def test_a_bundle_verifies(self):
        path = f"{platform.dir.name}/bundle"
        with open(path, "wb") as file:
            file.write(fetched("evidence").body)
        harness.subprocess.run([harness.CTFY, "evidence", "verify", path], check=True,
                               stdout=harness.subprocess.DEVNULL)

    def test_a_timeline_tells_the_start(self):
        self.assertIn("running", [e["event"] for e in fetched("timeline").json["events"]])

    def test_an_agent_learns_how_to_attach(self):
        self.assertEqual(fetched("agent-runtime").json["provider"], "docker")

    def test_traffic_is_what_the_node_says(self):
        for query in ("", "?limit=5", "?format=har"):
            theirs = node.call("GET", f"/instances/{row['id']}/traffic{query}")
            self.assertEqual(fetched("traffic" + query).json, theirs.json)

    def test_without_a_vpn_the_nodes_404_is_passed_on(self):
        reply = self.assertError(team.call("GET", "/challenges/watched/openvpn-config"), 404)
        theirs = node.call("GET", f"/instances/{row['id']}/openvpn-config")
        self.assertEqual(reply.detail, theirs.detail)

    def test_all_of_it_is_for_organisers(self):
        for what in ("containers", "container-logs", "traffic", "pcap", "evidence", "timeline",
                     "agent-runtime", "openvpn-config", "containers/web/shell"):
            with self.subTest(what):
                self.assertError(of_instance(what, token=team.token), 403)


class Shell(harness.NodeTest):
    def open(self, container="web", token=None):
        container = container or node.containers(row["id"])["web"]["Id"]
        return WebSocket("127.0.0.1", platform.port,
                         f"/api/v1/admin/instances/{row['id']}/containers/{container}/shell?cols=91&rows=17",
                         {"Authorization": f"Bearer {token or platform.admin}"})

    def until(self, ws, wanted, opcode=BINARY):
        seen = b""
        while wanted not in seen:
            got, data = ws.receive()
            self.assertNotEqual(got, CLOSE, seen)
            if got == opcode:
                seen += data
        return seen

    def recorded(self):
        return [entry for entry in platform.ask("GET", "/admin/audit")["entries"]
                if entry["action"] == "shell" and entry["object"] == row["id"]]

    def test_what_is_typed_runs_there_and_is_written_down(self):
        before = len(self.recorded())
        ws = self.open(node.containers(row["id"])["web"]["Id"])
        ws.send(b"stty size; echo $((6*7)).\n")
        self.assertIn(b"17 91", self.until(ws, b"42."))
        opened = self.recorded()
        self.assertEqual(len(opened), before + 1)
        self.assertEqual(opened[0]["user"], "admin")
        self.assertIn("rockets", opened[0]["note"])
        ws.send(b"exit 3\n")
        self.assertEqual(json.loads(self.until(ws, b"exit", TEXT)), {"type": "exit", "code": 3})
        ws.close()

    def test_much_output_arrives_whole(self):
        ws = self.open(node.containers(row["id"])["web"]["Id"])
        ws.send(b"stty -echo; head -c 3000000 /dev/zero | tr '\\0' x; echo .e''nd\n")
        self.assertGreaterEqual(self.until(ws, b".end\r\n").count(b"x"), 3000000)
        ws.close()

    def test_silence_ends_nothing(self):
        ws = self.open(node.containers(row["id"])["web"]["Id"])
        ws.send(b"sleep 2; echo $((6*7)).\n")
        self.until(ws, b"42.")
        ws.close()

    def test_refusals_are_ordinary_errors(self):
        for container, token, status in (("0" * 64, None, 404), ("web", team.token, 403)):
            with self.assertRaises(Refused) as refused:
                self.open(container, token)
            self.assertEqual(refused.exception.status, status)
        self.assertError(of_instance("containers/web/shell"), 400)


class Archive(harness.NodeTest):
    def test_what_is_stopped_is_kept_first(self):
        other = Team(platform, "other")
        begun = other.start("watched")
        node.ids.add(begun["id"])
        cluster.page(begun)
        other.stop("watched")
        self.assertGone(node, begun["id"])
        kept = platform.ask("GET", f"/admin/archives?team={kept_team(begun['id'])}")["archives"]
        self.assertEqual([a["instance_id"] for a in kept], [begun["id"]])
        self.assertEqual(kept[0]["status"], "kept", kept)
        files = {f["name"]: f["size"] for f in kept[0]["files"]}
        self.assertLessEqual({"traffic.har", "capture.pcap", "timeline.json", "evidence.tar.zst"}, set(files))
        for name, size in files.items():
            got = platform.call("GET", f"/admin/archives/{begun['id']}/{name}")
            self.assertEqual((got.status, len(got.body)), (200, size), name)
        path = f"{platform.dir.name}/kept"
        with open(path, "wb") as file:
            file.write(platform.call("GET", f"/admin/archives/{begun['id']}/evidence.tar.zst").body)
        harness.subprocess.run([harness.CTFY, "evidence", "verify", path], check=True,
                               stdout=harness.subprocess.DEVNULL)
        for path in ("nothing", "..%2f..%2fplatform.db", "../platform.db"):
            self.assertIn(platform.call("GET", f"/admin/archives/{begun['id']}/{path}").status, (400, 404))


class CommandLine(harness.NodeTest):
    def ctfy(self, *words):
        run = harness.subprocess.run([harness.CTFY, *words], capture_output=True, text=True, env={
            **cluster.os.environ, "CTFY_URL": f"http://127.0.0.1:{platform.port}", "CTFY_TOKEN": platform.admin,
            "XDG_CONFIG_HOME": platform.dir.name})
        self.assertEqual(run.returncode, 0, run)
        return run.stdout

    def admin(self, *words):
        return self.ctfy("admin", *words)

    def test_any_team_is_shown(self):
        self.assertRegex(self.ctfy("team", "show", "rockets"), r"rockets: rank \d+, \d+ points\n\nIt has solved nothing")

    def test_nodes_are_drained_and_back(self):
        self.admin("node", "drain", platform.nodes["n1"])
        self.assertIn("drained", self.admin("nodes"))
        self.admin("node", "undrain", platform.nodes["n1"])
        self.assertIn("healthy", self.admin("nodes"))

    def test_images_are_told_per_node(self):
        self.assertRegex(self.admin("images"), r"n1 +watched +build")

    def test_an_instance_is_shown_and_extended(self):
        self.assertRegex(self.admin("instance", "show", row["id"]), r"node +n1\n")
        before = platform.ask("GET", f"/admin/instances/{row['id']}")["expires_at"]
        self.assertIn("more time", self.admin("instance", "extend", row["id"], "30m"))
        self.assertGreater(platform.ask("GET", f"/admin/instances/{row['id']}")["expires_at"], before)

    def test_what_is_recorded_is_saved(self):
        path = f"{platform.dir.name}/saved"
        self.admin("instance", "save", row["id"], "traffic", path)
        with open(path, encoding="utf-8") as file:
            self.assertIn("log", json.load(file))


def kept_team(instance_id):
    return next(a["team_id"] for a in platform.ask("GET", f"/admin/archives?instance={instance_id}")["archives"])


if __name__ == "__main__":
    harness.main()

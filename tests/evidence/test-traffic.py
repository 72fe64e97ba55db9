#!/usr/bin/env python3
"""HTTP recording: what curl and players said is in /traffic, whole, in order, and as HAR."""

import base64
import gzip
import hashlib
import http.client
import os
import shutil
import urllib.request

from evidence import begin_first, harness, new_node
from harness import NodeTest, engine, fetch, fetch_soon, parallel, wait_for
from websocket import TEXT, WebSocket

node = None
row = None
flag = None


def setUpModule():
    global node, row, flag
    node = new_node()
    row, spec = begin_first(node, "recorded")
    flag = spec["answers"]["flag"]
    fetch_soon("127.0.0.1", port(), "/flag", seconds=60)


def port():
    return row["endpoints"][0]["port"]


def traffic(instance_id=None, query=""):
    return node.call("GET", f"/instances/{instance_id or row['instance_id']}/traffic{query}")


def flows(query=""):
    reply = traffic(query=query)
    assert reply.status == 200, reply
    return reply.json["flows"]


def flows_of(part, count=1):
    """Those whose URL has the part, once there are so many."""
    def found():
        some = [flow for flow in flows() if part in flow["request"]["url"]]
        return some if len(some) >= count else None
    return wait_for(found, 20, lambda: f"{count} flows of '{part}': {[f['request']['url'] for f in flows()]}")


class Recorded(NodeTest):
    def test_what_a_player_says_is_recorded_and_arrives_unchanged(self):
        self.assertEqual(fetch("127.0.0.1", port(), "/flag?who=player"), flag)
        flow, = flows_of("who=player")
        self.assertEqual(flow["request"]["method"], "GET")
        self.assertEqual(flow["request"]["url"], f"http://127.0.0.1:{port()}/flag?who=player")
        self.assertEqual(flow["response"]["status"], 200)
        self.assertEqual(flow["response"]["body"]["text"], flag)
        self.assertEqual(flow["response"]["body"]["sha256"], hashlib.sha256(flag.encode()).hexdigest())
        self.assertEqual(flow["via"], "port")
        self.assertTime(flow["started_at"])
        self.assertGreaterEqual(flow["duration_ms"], 0)
        self.assertTrue(flow["client"] and flow["id"])

    def test_bytes_that_are_no_text_survive(self):
        data = bytes(range(256)) * 3
        conn = http.client.HTTPConnection("127.0.0.1", port(), timeout=20)
        conn.request("POST", "/echo?binary", data)
        self.assertEqual(conn.getresponse().read(), data)
        conn.close()
        flow, = flows_of("binary")
        for side in ("request", "response"):
            self.assertEqual(flow[side]["body"]["size"], len(data))
            self.assertEqual(base64.b64decode(flow[side]["body"]["base64"]), data)

    def test_compressed_bodies_are_readable(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{port()}/gzip", timeout=20) as answer:
            self.assertEqual(gzip.decompress(answer.read()), b"small and plain")
        self.assertEqual(flows_of("/gzip")[0]["response"]["body"]["text"], "small and plain")

    def test_long_bodies_pass_through_and_are_recorded_in_part(self):
        size = 100 << 20
        digest = hashlib.sha256()
        conn = http.client.HTTPConnection("127.0.0.1", port(), timeout=60)
        conn.request("GET", f"/long?{size}")
        answer = conn.getresponse()
        while part := answer.read(1 << 20):
            digest.update(part)
        conn.close()
        body = flows_of("/long")[0]["response"]["body"]
        self.assertEqual((body["size"], body["truncated"]), (size, True))
        self.assertEqual(body["sha256"], digest.hexdigest())
        self.assertEqual(body["text"], "0123456789abcdef" * 4096)

    def test_a_websocket_is_one_flow_with_its_messages(self):
        ws = WebSocket("127.0.0.1", port(), "/ws")
        for text in ("one", "zwei", "три"):
            ws.send(text.encode(), TEXT)
            self.assertEqual(ws.receive(), (TEXT, text.encode()))
        self.assertEqual(ws.close(), 1000)
        flow, = flows_of("/ws")
        self.assertEqual(flow["response"]["status"], 101)
        self.assertEqual([(m["from_client"], m["text"]) for m in flow["websocket"]["messages"]],
                         [(True, "one"), (False, "one"), (True, "zwei"), (False, "zwei"), (True, "три"), (False, "три")])

    def test_nothing_is_lost_under_load(self):
        def ask(i):
            conn = http.client.HTTPConnection("127.0.0.1", port(), timeout=60)
            for j in range(20):
                conn.request("GET", f"/load?{i}.{j}.")
                self.assertEqual(conn.getresponse().read().decode(), f"/load?{i}.{j}.")
            conn.close()
        parallel([lambda i=i: ask(i) for i in range(100)])
        some = flows_of("/load?", 2000)
        self.assertEqual(len(some), 2000)
        self.assertEqual(len({flow["request"]["url"] for flow in some}), 2000)
        self.assertEqual(len({flow["id"] for flow in some}), 2000)


class Pages(NodeTest):
    def test_pages_go_on_where_the_last_one_ended(self):
        for i in range(5):
            fetch("127.0.0.1", port(), f"/page?{i}")
        flows_of("/page?", 5)
        seen, since = [], 0
        while True:
            page = traffic(query=f"?limit=2&since={since}").json
            if not page["flows"]:
                self.assertEqual(page["next"], since)
                break
            self.assertLessEqual(len(page["flows"]), 2)
            seen += page["flows"]
            since = page["next"]
        self.assertEqual([f["id"] for f in seen], [f["id"] for f in flows()][:len(seen)])
        fetch("127.0.0.1", port(), "/page?new")
        wait_for(lambda: flows(f"?since={since}"), 10, "the new flow")
        self.assertEqual([f["request"]["url"].rsplit("/", 1)[1] for f in flows(f"?since={since}")], ["page?new"])

    def test_queries_that_make_no_sense_are_refused(self):
        for query in ("?since=-1", "?since=x", "?limit=0", "?format=pdf"):
            self.assertError(traffic(query=query), 422)
        self.assertError(traffic("never-known"), 404)

    def test_an_instance_that_is_not_recorded_has_no_flows(self):
        shutil.copytree(os.path.join(harness.CHALLENGES, "plain"), os.path.join(node.challenges, "plain"))
        self.assertStatus(node.call("POST", "/admin/rescan-challenges"), 200)
        begun, _ = node.begin("plain")
        self.assertEqual(self.assertStatus(traffic(begun["instance_id"]), 200).json["flows"], [])

    def test_the_har_has_all_flows(self):
        fetch("127.0.0.1", port(), "/har?a=1&b=%20&c")
        flows_of("/har")
        log = self.assertStatus(traffic(query="?format=har"), 200).json["log"]
        self.assertEqual(log["version"], "1.2")
        self.assertEqual(len(log["entries"]), len(flows()))
        entry, = [e for e in log["entries"] if "/har?" in e["request"]["url"]]
        for name in ("startedDateTime", "time", "request", "response", "cache", "timings"):
            self.assertIn(name, entry)
        self.assertEqual([(q["name"], q["value"]) for q in entry["request"]["queryString"]],
                         [("a", "1"), ("b", "%20"), ("c", "")])
        self.assertEqual(entry["response"]["content"]["text"], "/har?a=1&b=%20&c")
        self.assertGreaterEqual(min(entry["timings"].values()), 0)


class Place(NodeTest):
    def test_flows_go_where_the_start_said_and_outlive_the_instance(self):
        where = os.path.join(node.evidence, "elsewhere", "flows")
        begun, _ = node.begin("recorded", proxy_output_dir=where)
        fetch_soon("127.0.0.1", begun["endpoints"][0]["port"], "/here", seconds=30)
        wait_for(lambda: traffic(begun["instance_id"]).json["flows"], 10, "the flow")
        self.assertEqual(os.listdir(where), ["flows.jsonl"])
        self.assertStatus(node.stop(begun["instance_id"]), 204)
        self.assertGone(node, begun["instance_id"])
        self.assertIn("/here", traffic(begun["instance_id"]).json["flows"][0]["request"]["url"])

    def test_nothing_of_it_is_in_reach_of_a_service(self):
        containers = node.containers(row["instance_id"])
        self.assertEqual(containers["web"]["Mounts"], [])
        code, text = engine.exec(containers["web"]["Id"],
                                 ["sh", "-c", "find / -xdev -name 'flows.jsonl' -o -xdev -name 'mitmproxy-ca.pem'"])
        self.assertEqual(text, "")


if __name__ == "__main__":
    harness.main()

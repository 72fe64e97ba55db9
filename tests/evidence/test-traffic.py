#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP recording: what curl and players said is in /traffic, whole, in order, and as HAR."""

import asyncio
import base64
import gzip
import hashlib
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import urllib.parse
import urllib.request

from agent import ready_runtime
from evidence import begin_first, check_har, harness, new_node
from harness import NodeTest, engine, fetch, fetch_soon, wait_for
from websocket import TEXT, WebSocket

node = None
row = None
flag = None
at_once = None


def setUpModule():
    global node, row, flag, at_once
    node = new_node()
    row, spec = begin_first(node, "recorded")
    flag = spec["answers"]["flag"]
    wait_for(lambda: node.health(row["instance_id"])["is_healthy"], 60, "the instance's health")
    at_once = player_gets("/flag?at-once")
    fetch_soon("127.0.0.1", port(), "/flag", seconds=60)


def player_gets(path):
    try:
        return fetch("127.0.0.1", port(), path)
    except OSError as e:
        return e


def port():
    return row["endpoints"][0]["port"]


def traffic(instance_id=None, query=""):
    return node.call("GET", f"/instances/{instance_id or row['instance_id']}/traffic{query}")


def flows(query=""):
    reply = traffic(query=query)
    assert reply.status == 200, reply
    return reply.json["flows"]


def post(path, data):
    conn = http.client.HTTPConnection("127.0.0.1", port(), timeout=20)
    conn.request("POST", path, data)
    answer = conn.getresponse().read()
    conn.close()
    return answer


class Absolute(http.client.HTTPConnection):
    """By a proxy."""

    def __init__(self, host, port, base):
        super().__init__(host, port, timeout=60)
        self.base = base

    def putrequest(self, method, url, *args, **more):
        super().putrequest(method, self.base + url, *args, **more)


def ask(conn, method, path, data=None):
    conn.request(method, path, data)
    return conn.getresponse().read()


def flows_of(part, count=1):
    """Those whose URL has the part, once there are so many."""
    def found():
        some = [flow for flow in flows() if part in flow["request"]["url"]]
        return some if len(some) >= count else None
    return wait_for(found, 20, lambda: f"{count} flows of '{part}': {[f['request']['url'] for f in flows()]}")


class Recorded(NodeTest):
    def test_what_is_healthy_players_reach(self):
        self.assertEqual(at_once, flag)

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
        self.assertEqual(post("/echo?binary", data), data)
        flow, = flows_of("binary")
        for side in ("request", "response"):
            self.assertEqual(flow[side]["body"]["size"], len(data))
            self.assertEqual(base64.b64decode(flow[side]["body"]["base64"]), data)

    def test_compressed_bodies_are_readable(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{port()}/gzip", timeout=20) as answer:
            self.assertEqual(gzip.decompress(answer.read()), b"small and plain")
        self.assertEqual(flows_of("/gzip")[0]["response"]["body"]["text"], "small and plain")

    def test_long_bodies_pass_through_and_are_recorded_in_part(self):
        for size, is_hashed in ((16 << 20, True), (100 << 20, False)):
            with self.subTest(size):
                conn = http.client.HTTPConnection("127.0.0.1", port(), timeout=60)
                conn.request("GET", f"/long?{size}")
                answer, heard = conn.getresponse(), 0
                while part := answer.read(1 << 20):
                    self.assertEqual(part.count(b"0123456789abcdef") * 16, len(part))
                    heard += len(part)
                conn.close()
                self.assertEqual(heard, size)
                body = flows_of(f"/long?{size}")[0]["response"]["body"]
                self.assertEqual((body["size"], body["truncated"]), (size, True))
                digest = hashlib.sha256(b"0123456789abcdef" * (size // 16)).hexdigest()
                self.assertEqual(body.get("sha256"), digest if is_hashed else None)
                self.assertEqual(body["text"], "0123456789abcdef" * 4096)

    def test_long_bodies_and_short_ones_share_a_connection(self):
        long = os.urandom(1 << 20) * 8
        for scheme, web in (("http", 8080), ("https", 8443)):
            with self.subTest(scheme):
                conn = self.by_proxy(scheme, web)
                for turn in "12":
                    self.assertEqual(ask(conn, "POST", f"/echo?kept-{web}-{turn}", long), str(len(long)).encode())
                    self.assertEqual(ask(conn, "GET", f"/flag?kept-{web}-{turn}"), flag.encode())
                    self.assertEqual(len(ask(conn, "GET", f"/long?{len(long)}&kept-{web}-{turn}")), len(long))
                conn.close()
                some = flows_of(f"kept-{web}", 6)
                self.assertEqual([f["response"]["status"] for f in some], [200] * 6)
                for flow in some[::3]:
                    body = flow["request"]["body"]
                    self.assertEqual((body["size"], body["sha256"]), (len(long), hashlib.sha256(long).hexdigest()))
                    self.assertEqual(base64.b64decode(body["base64"]), long[:64 << 10])
                for flow in some[2::3]:
                    body = flow["response"]["body"]
                    self.assertEqual((body["size"], body["sha256"]),
                                     (len(long), hashlib.sha256(b"0123456789abcdef" * (len(long) // 16)).hexdigest()))

    def by_proxy(self, scheme, web):
        told = ready_runtime(node, row["instance_id"])
        proxy = urllib.parse.urlsplit(told["proxy_url"])
        if scheme == "http":
            return Absolute(proxy.hostname, proxy.port, f"http://web:{web}")
        conn = http.client.HTTPSConnection(proxy.hostname, proxy.port, timeout=60,
                                           context=ssl.create_default_context(cadata=told["ca_pem"]))
        conn.set_tunnel("web", web)
        return conn

    def test_a_body_in_the_smallest_parts_arrives(self):
        for scheme, web in (("http", 8080), ("https", 8443)):
            with self.subTest(scheme):
                conn = self.by_proxy(scheme, web)
                self.assertEqual(ask(conn, "GET", f"/drip?{scheme}"), scheme.encode())
                self.assertEqual(ask(conn, "GET", f"/flag?{scheme}-dripped"), flag.encode())
                conn.close()
                self.assertEqual(flows_of(f"/drip?{scheme}")[0]["response"]["body"]["text"], scheme)

    def test_a_long_body_that_is_cut_short_is_recorded_as_far_as_it_came(self):
        conn = http.client.HTTPConnection("127.0.0.1", port(), timeout=60)
        conn.request("GET", "/cut?8000000")
        answer = conn.getresponse()
        with self.assertRaises(http.client.IncompleteRead) as caught:
            answer.read()
        conn.close()
        self.assertEqual(len(caught.exception.partial), 4000000)
        flow, = flows_of("/cut")
        self.assertEqual(flow["response"]["body"]["size"], 4000000)
        self.assertTrue(flow["error"])

    def test_who_leaves_a_long_body_is_recorded(self):
        conn = http.client.HTTPConnection("127.0.0.1", port(), timeout=60)
        conn.request("GET", f"/long?{1 << 40}&left")
        conn.getresponse().read(8 << 20)
        conn.sock.shutdown(socket.SHUT_RDWR)
        conn.close()
        flow, = flows_of("&left")
        self.assertTrue(flow["error"])
        self.assertGreater(flow["response"]["body"]["size"], 1 << 20)

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

    def test_http_2_is_recorded_as_such(self):
        told = ready_runtime(node, row["instance_id"])
        with tempfile.NamedTemporaryFile("w") as authority:
            authority.write(told["ca_pem"])
            authority.flush()
            urls = [f"https://web:8444/two?{i}" for i in range(3)]
            done = subprocess.run(["curl", "-sS", "--http2", "--max-time", "60", "--proxy", told["proxy_url"],
                                   "--cacert", authority.name, "-w", " %{http_version}\n", *urls],
                                  capture_output=True, text=True)
        self.assertEqual(done.stdout.splitlines(), [f"/two?{i} 2" for i in range(3)], done)
        some = flows_of("/two?", 3)
        self.assertEqual([f["request"]["url"] for f in some], urls)
        for flow in some:
            self.assertEqual((flow["request"]["http_version"], flow["response"]["http_version"]), ("HTTP/2.0", "HTTP/2.0"))
            self.assertEqual(flow["response"]["body"]["text"], flow["request"]["url"].partition("8444")[2])

    def test_nothing_is_lost_of_2000_requests_at_once(self):
        proxy = urllib.parse.urlsplit(ready_runtime(node, row["instance_id"])["proxy_url"])
        async def ask(reader, writer, i):
            writer.write(f"GET http://web:8080/load?{i}. HTTP/1.1\r\nHost: web:8080\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read(-1)
            writer.close()
            return answer.endswith(f"\r\n\r\n/load?{i}.".encode())
        async def ask_all(count):
            connections = [await asyncio.open_connection(proxy.hostname, proxy.port) for _ in range(count)]
            return await asyncio.gather(*[ask(*connections[i], i) for i in range(count)])
        self.assertEqual(asyncio.run(ask_all(2000)), [True] * 2000)
        some = flows_of("/load?", 2000)
        self.assertEqual(len(some), 2000)
        self.assertEqual(len({flow["request"]["url"] for flow in some}), 2000)
        self.assertEqual(len({flow["id"] for flow in some}), 2000)
        self.assertEqual({flow["response"]["status"] for flow in some}, {200})


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
        post("/echo?har", b"\xff\0")
        flows_of("har", 2)
        har = self.assertStatus(traffic(query="?format=har"), 200).json
        check_har(har)
        log = har["log"]
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
        def is_told(): # perhaps behind a connection that came before the service listened
            return any("/here" in flow["request"]["url"] for flow in traffic(begun["instance_id"]).json["flows"])
        wait_for(is_told, 10, "the flow")
        self.assertEqual(os.listdir(where), ["flows.jsonl"])
        self.assertStatus(node.stop(begun["instance_id"]), 204)
        self.assertGone(node, begun["instance_id"])
        self.assertTrue(is_told())


class Lost(NodeTest):
    def test_players_whose_way_is_the_recorder_have_none_without_it(self):
        begun, _ = node.begin("recorded")
        path = f"/instances/{begun['instance_id']}"
        wait_for(lambda: node.health(begun["instance_id"])["is_healthy"], 30, "healthy")
        recorder = node.containers(begun["instance_id"])["ctfy-recorder"]["Id"]
        engine.call("POST", f"/containers/{recorder}/kill")
        for _ in ("exited", "removed"):
            health = node.health(begun["instance_id"])
            self.assertIs(health["is_healthy"], False)
            self.assertIn("recorder", health["services"][0]["detail"])
            reply = self.assertError(node.call("GET", path + "/agent-runtime"), 503)
            self.assertIn("does not run", reply.detail)
            engine.call("DELETE", f"/containers/{recorder}?force=1")
        self.assertStatus(node.stop(begun["instance_id"]), 204)
        self.assertGone(node, begun["instance_id"])


class Inside(NodeTest):
    """What a service tries that wants to read the recording, or to end it. It is root in there."""

    def setUp(self):
        self.containers = node.containers(row["instance_id"])

    def run_inside(self, *argv):
        return engine.exec(self.containers["web"]["Id"], list(argv), timeout=120)

    def address_of(self, service):
        return next(iter(self.containers[service]["NetworkSettings"]["Networks"].values()))["IPAddress"]

    def test_no_file_of_it_is_there(self):
        self.assertEqual(self.containers["web"]["Mounts"], [])
        names = ["flows.jsonl", "mitmproxy-ca*", "*.pcap*", "docker.sock"]
        test = sum([["-o", "-name", name] for name in names], [])[1:]
        self.assertEqual(self.run_inside("find", "/", "-path", "/proc", "-prune", "-o", "(", *test, ")", "-print"), (0, ""))

    def test_the_recorder_has_no_door_but_its_own(self):
        code, text = self.run_inside("python3", "-c", "\n".join((
            "import socket, sys",
            "for port in range(1, 65536):",
            "    with socket.socket() as s:",
            "        s.settimeout(5)",
            "        if s.connect_ex((sys.argv[1], port)) == 0: print(port)")), self.address_of("ctfy-recorder"))
        self.assertEqual((code, text.split()), (0, ["8999", "9000"]), "for health, and the players'")

    def test_the_recorder_does_not_tell_its_own(self):
        ready_runtime(node, row["instance_id"])
        self.containers = node.containers(row["instance_id"])
        own = self.address_of("ctfy-proxy")
        for url in (f"http://{own}:8080/", "http://127.0.0.1:8080/",
                    "http://127.0.0.1:9000/traffic/flows.jsonl", "file:///traffic/flows.jsonl",
                    "http://127.0.0.1:9000/../../root/.mitmproxy/mitmproxy-ca.pem"):
            with self.subTest(url):
                code, text = self.run_inside("python3", "-c", "\n".join((
                    "import http.client, sys",
                    "proxy = http.client.HTTPConnection(sys.argv[1], 8080, timeout=20)",
                    "proxy.request('GET', sys.argv[2], headers={'Host': sys.argv[2].split('/')[2]})",
                    "answer = proxy.getresponse()",
                    "print(answer.status, answer.read().decode(errors='replace'))")), own, url)
                self.assertEqual(code, 0, text)
                self.assertRegex(text, r"^(400|502) ")
                self.assertNotIn("PRIVATE KEY", text)
                self.assertNotIn("CERTIFICATE", text)
                self.assertNotIn("started_at", text)

    def test_none_of_its_processes_can_be_seen_or_ended(self):
        sidecars = {name: c["State"]["Pid"] for name, c in self.containers.items() if name != "web"}
        self.assertIn("ctfy-capture", sidecars)
        self.assertIn("ctfy-recorder", sidecars)
        code, text = self.run_inside("sh", "-c", "cat /proc/[0-9]*/comm; kill -9 " + " ".join(map(str, sidecars.values())))
        self.assertNotIn("mitmdump", text)
        self.assertNotIn("ctfy-relay", text)
        self.assertNotIn("tcpdump", text)
        self.assertNotEqual(code, 0)
        self.assertNotEqual(self.run_inside("ip", "link", "set", "eth0", "down")[0], 0)
        fetch("127.0.0.1", port(), "/still?here")
        flows_of("still?here")
        self.assertEqual({name: c["State"]["Pid"] for name, c in node.containers(row["instance_id"]).items()
                          if name != "web"}, sidecars)
        wait_for(lambda: b"/still?here" in node.call("GET", f"/instances/{row['instance_id']}/pcap").body, 20, "its packets")


if __name__ == "__main__":
    harness.main()

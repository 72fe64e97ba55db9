#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A recorded port is as one that isn't: every byte arrives, at once, whatever it is; and is in the evidence.

The server (challenges/exact) is the same on both ports.
"""

import ast
import base64
import gzip
import json
import os
import random
import re
import socket
import struct

from evidence import CHALLENGES, begin_first, harness, new_node
from harness import NodeTest, engine, wait_for

node = None
row = None
direct = None
recorded = None

HOST = b"Host: exact\r\n"
MARKS = {}


def request(name, data):
    """With a mark by which it is found again."""
    MARKS[name] = "mark-" + name
    return data.replace(b"MARK", MARKS[name].encode())


REQUESTS = {name: request(name, data) for name, data in {
    "ordinary": b"GET /MARK?x=y HTTP/1.1\r\n" + HOST + b"x-CaSe: kept\r\n\r\n",
    "post": b"POST /MARK HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc",
    "chunks": b"POST /MARK HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n2;ext\r\nab\r\n0\r\nT: 1\r\n\r\n",
    "leading-line": b"\r\n\r\nGET /MARK HTTP/1.1\r\n" + HOST + b"\r\n",
    "length-then-chunks": b"POST /MARK HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
    "chunks-then-length": b"POST /MARK HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 90\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
    "chunks-disguised": b"POST /MARK HTTP/1.1\r\n" + HOST + b"Transfer-Encoding:\x0bchunked\r\nContent-Length: 3\r\n\r\n1\r\nZ\r\nQ",
    "chunks-blank": b"POST /MARK HTTP/1.1\r\n" + HOST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "chunk-size": b"POST /MARK HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nffffffffffffffff1\r\n",
    "lengths": b"POST /MARK HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length-list": b"POST /MARK HTTP/1.1\r\n" + HOST + b"Content-Length: 2, 2\r\n\r\nab",
    "length-sign": b"POST /MARK HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\nab",
    "verb": b"x!#$ /MARK HTTP/1.1\r\n" + HOST + b"\r\n",
    "verb-empty": b" /MARK HTTP/1.1\r\n" + HOST + b"\r\n",
    "connect": b"CONNECT MARK:443 HTTP/1.1\r\n" + HOST + b"\r\n\x16\x03\x01",
    "trace": b"TRACE /MARK HTTP/1.1\r\n" + HOST + b"Max-Forwards: 0\r\n\r\n",
    "absolute": b"GET http://MARK.internal/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "absolute-odd": b"GET gopher://MARK:70/_x HTTP/1.1\r\n" + HOST + b"\r\n",
    "hosts": b"GET /MARK HTTP/1.1\r\nHost: one\r\nHost: two\r\n\r\n",
    "no-host": b"GET /MARK HTTP/1.1\r\n\r\n",
    "path": b"GET /MARK/../..//.%2e/\\..;/%00%ff HTTP/1.1\r\n" + HOST + b"\r\n",
    "path-bytes": b"GET /MARK\x80\xff\x01 HTTP/1.1\r\n" + HOST + b"\r\n",
    "path-blanks": b"GET /MARK with blanks HTTP/1.1\r\n" + HOST + b"\r\n",
    "old": b"GET /MARK\r\n\r\n",
    "old-1.0": b"GET /MARK HTTP/1.0\r\n\r\n",
    "version": b"GET /MARK HTTP/1.10\r\n" + HOST + b"\r\n",
    "version-word": b"GET /MARK ICY/7\r\n" + HOST + b"\r\n",
    "bare-lf": b"GET /MARK HTTP/1.1\nHost: exact\n\n",
    "bare-cr": b"GET /MARK HTTP/1.1\rHost: exact\r\n\r\n",
    "folded": b"GET /MARK HTTP/1.1\r\n" + HOST + b"A: 1\r\n\t2\r\n\r\n",
    "header-nul": b"GET /MARK HTTP/1.1\r\n" + HOST + b"A: \x00\x01\x7f\r\n\r\n",
    "header-name": b"GET /MARK HTTP/1.1\r\n" + HOST + b"A B\xff: 1\r\n : 2\r\nno colon\r\n\r\n",
    "header-long": b"GET /MARK HTTP/1.1\r\n" + HOST + b"L: " + b"z" * 200000 + b"\r\n\r\n",
    "headers-many": b"GET /MARK HTTP/1.1\r\n" + HOST + b"H: 1\r\n" * 3000 + b"\r\n",
    "hop-by-hop": b"GET /MARK HTTP/1.1\r\n" + HOST + b"Connection: close, X-A\r\nX-A: 1\r\nProxy-Authorization: b\r\nTE: trailers\r\n\r\n",
    "pipeline": b"GET /MARK HTTP/1.1\r\n" + HOST + b"\r\nGET /next HTTP/1.1\r\n" + HOST + b"\r\nPOST /last HTTP/1.1\r\n" + HOST + b"\r\n",
    "h2c-upgrade": b"GET /MARK HTTP/1.1\r\n" + HOST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    "h2c": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00MARK",
    "unfinished": b"GET /MARK HTTP/1.1\r\nHost: ex",
    "text": b"hello MARK\n",
    "tls": bytes.fromhex("16030100700100006c0303") + b"MARK" + bytes(60),
    "zeros": b"MARK" + bytes(5000),
    "all-bytes": bytes(range(256)) * 3 + b"MARK",
    "noise": random.Random(11).randbytes(300000) + b"MARK",
}.items()}


def setUpModule():
    global node, row, direct, recorded
    node = new_node()
    row, _ = begin_first(node, "exact")
    at = {e["container_port"]: (e["host"], e["port"]) for e in row["endpoints"]}
    recorded, direct = at[8080], at[8081]
    wait_for(lambda: node.health(row["instance_id"])["is_healthy"], 60, "the instance's health")


def inside(service, port):
    """Where a container listens in its own network."""
    networks = node.containers(row["instance_id"])[service]["NetworkSettings"]["Networks"]
    return next(iter(networks.values()))["IPAddress"], port


def connect(where):
    return socket.create_connection(where, timeout=60)


def hear_all(sock):
    heard = b""
    while data := sock.recv(1 << 20):
        heard += data
    return heard


def converse(where, data, half_close=True):
    with connect(where) as sock:
        sock.sendall(data)
        if half_close:
            sock.shutdown(socket.SHUT_WR)
        return hear_all(sock)


def body(answer):
    return answer.partition(b"\r\n\r\n")[2]


def get(where, path):
    return converse(where, f"GET {path} HTTP/1.1\r\nHost: exact\r\n\r\n".encode())


def answers():
    """The names of what the server can answer."""
    with open(os.path.join(CHALLENGES, "exact/web/server.py")) as file:
        tree = ast.parse(file.read())
    table, = [n.value for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == "ANSWERS"]
    return [key.value for key in table.keys]


def flows_since(since, instance_id=None):
    """And where they go on."""
    some, page = [], None
    while page is None or page["flows"]:
        page = node.call("GET", f"/instances/{instance_id or row['instance_id']}/traffic?since={since}", timeout=60).json
        some += page["flows"]
        since = page["next"]
    return some, since


def flows(instance_id=None):
    return flows_since(0, instance_id)[0]


def everything():
    """All that is recorded, as text: what is in base64 decoded."""
    text = json.dumps(flows(), ensure_ascii=False)
    return text + "".join(base64.b64decode(coded).decode("latin-1") for coded in re.findall(r'"base64": "([^"]*)"', text))


def find_all(marks):
    """They are in the evidence, all of them."""
    def missing():
        text = everything()
        return [mark for mark in marks if mark not in text]
    wait_for(lambda: not missing(), 20, missing)


class Exact(NodeTest):
    def test_every_request_arrives_as_it_was_sent_and_is_in_the_evidence(self):
        for name, data in REQUESTS.items():
            with self.subTest(name):
                self.assertEqual(bytes.fromhex(body(converse(direct, data)).decode()), data, "without the recorder")
                self.assertEqual(bytes.fromhex(body(converse(recorded, data)).decode()), data)
        find_all(MARKS.values())

    def test_every_answer_comes_back_as_it_was_sent(self):
        for name in answers():
            with self.subTest(name):
                plain = get(direct, "/answer/" + name)
                self.assertTrue(plain or name == "nothing")
                self.assertEqual(get(recorded, "/answer/" + name), plain)
        find_all(["/answer/" + name for name in answers()])

    def test_each_event_arrives_before_the_next_is_asked_for(self):
        for where in (direct, recorded):
            with connect(where) as sock:
                sock.sendall(b"GET /events HTTP/1.1\r\nHost: exact\r\n\r\n")
                self.hear(sock, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
                for letter in b"abcdef":
                    sock.sendall(bytes([letter]))
                    self.hear(sock, b"data: %c\n\n" % letter)

    def hear(self, sock, expected):
        heard = b""
        while len(heard) < len(expected):
            data = sock.recv(len(expected) - len(heard))
            self.assertTrue(data, heard)
            heard += data
        self.assertEqual(heard, expected)

    def test_a_body_may_wait_for_its_head_to_be_taken(self):
        for where in (direct, recorded):
            with connect(where) as sock:
                sock.sendall(b"GET /expect HTTP/1.1\r\nHost: exact\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
                self.hear(sock, b"HTTP/1.1 100 Continue\r\n\r\n")
                sock.sendall(b"body")
                sock.shutdown(socket.SHUT_WR)
                self.assertEqual(body(hear_all(sock)), b"thanks")

    def test_a_flow_is_told_once_when_it_is_over(self):
        """Who reads in between meets no half flow, and finds it from there on."""
        find = lambda some: [flow for flow in some if "/half" in flow["request"]["url"]]
        with connect(recorded) as sock:
            sock.sendall(b"GET /events/half HTTP/1.1\r\nHost: exact\r\n\r\n")
            self.hear(sock, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            har = lambda: node.call("GET", f"/instances/{row['instance_id']}/traffic?format=har", timeout=60).body.decode()
            wait_for(lambda: "/half" in har(), 20, "the flow that has begun, in the HAR")
            before, since = flows_since(0)
            self.assertEqual(find(before), [])
            sock.shutdown(socket.SHUT_WR)
            hear_all(sock)
        told, _ = wait_for(lambda: find(flows_since(since)[0]) and flows_since(since), 20, "its end")
        flow, = find(told)
        self.assertEqual((flow["response"]["status"], flow["error"]), (200, None))
        self.assertEqual(len(find(flows())), 1)

    def test_a_head_in_single_bytes_arrives(self):
        data = b"GET /slow HTTP/1.1\r\nHost: exact\r\n\r\n"
        with connect(recorded) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in data:
                sock.sendall(bytes([byte]))
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(bytes.fromhex(body(hear_all(sock)).decode()), data)

    def test_an_upgraded_connection_carries_anything_both_ways(self):
        noise = random.Random(5).randbytes(1 << 20)
        for where in (direct, recorded):
            with connect(where) as sock:
                sock.sendall(b"GET /upgrade HTTP/1.1\r\nHost: exact\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
                self.hear(sock, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
                sending = harness.background(sock.sendall, noise)
                self.hear(sock, noise)
                sending.result(60)

    def test_a_reset_is_a_reset(self):
        """At the containers' own addresses: the engine's proxy before a port of the host's knows no resets."""
        beyond = inside("ctfy-recorder", 9000)
        for where in (inside("web", 8081), beyond):
            with connect(where) as sock:
                sock.sendall(b"GET /reset HTTP/1.1\r\nHost: exact\r\n\r\n")
                self.hear(sock, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nso much ")
                sock.sendall(b"!")
                with self.assertRaises(ConnectionResetError):
                    sock.recv(1)
        before = int(body(get(direct, "/resets")))
        with connect(beyond) as sock:
            sock.sendall(b"GET /upgrade HTTP/1.1\r\nHost: exact\r\n\r\n")
            sock.recv(1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_for(lambda: int(body(get(direct, "/resets"))) > before, 20, "the service's reset")

    def test_who_comes_from_inside_is_marked(self):
        web = node.containers(row["instance_id"])["web"]["Id"]
        code = ("import sys, urllib.request\n"
                "print(len(urllib.request.urlopen(sys.argv[1], timeout=20).read()))")
        get(recorded, "/answer/early?from=outside")
        self.assertEqual(engine.exec(web, ["python3", "-c", code, "http://%s:%d/answer/until-end" % inside("ctfy-recorder", 9000)])[0], 0)
        vias = lambda: {flow["via"] for flow in flows()}
        wait_for(lambda: vias() == {"port", "inside"}, 20, vias)


class Down(NodeTest):
    def test_a_service_that_does_not_run_answers_nothing(self):
        begun, _ = node.begin("exact")
        self.addCleanup(node.stop, begun["instance_id"])
        at = {e["container_port"]: (e["host"], e["port"]) for e in begun["endpoints"]}
        wait_for(lambda: node.health(begun["instance_id"])["is_healthy"], 60, "the instance's health")
        engine.call("POST", f"/containers/{node.containers(begun['instance_id'])['web']['Id']}/kill")
        for _ in range(2):
            try:
                self.assertEqual(get(at[8080], "/anybody"), b"")
            except ConnectionError:
                pass
        self.assertIs(node.health(begun["instance_id"])["is_healthy"], False)
        told = wait_for(lambda: len(some := flows(begun["instance_id"])) == 2 and some, 20, "both flows")
        for flow in told:
            self.assertFalse(flow["response"] and flow["response"]["status"])
            self.assertRegex(flow["error"], "^the service")


class Bounds(NodeTest):
    """What once ended a recorder, and took its own trace with it."""

    def setUp(self):
        self.before = self.recorder()
        # Not by the host's port: the engine's own proxy before it does not survive a crowd.
        self.where = inside("ctfy-recorder", 9000)

    def tearDown(self):
        after = self.recorder()
        self.assertEqual(after["Id"], self.before["Id"])
        self.assertEqual(after["State"]["StartedAt"], self.before["State"]["StartedAt"], "it was ended")
        with open(f"/proc/{after['State']['Pid']}/status") as file:
            most = int(re.search(r"VmHWM:\s+(\d+)", file.read())[1])
        self.assertLess(most, 16 << 10, "KiB of memory")

    def recorder(self):
        return engine.inspect(node.containers(row["instance_id"])["ctfy-recorder"]["Id"])

    def check_counts(self, name, head, parts):
        size = len(head)
        with connect(self.where) as sock:
            sock.sendall(head)
            for part in parts:
                sock.sendall(part)
                size += len(part)
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(int(body(hear_all(sock))), size)
        find_all([name])

    def test_a_header_of_226_mib(self):
        self.check_counts("long-header", b"GET /count HTTP/1.1\r\nHost: long-header\r\n\r\n", [b"x" * (1 << 20)] * 2)
        self.check_counts("endless", b"GET /count HTTP/1.1\r\nHost: endless\r\nX: ", [b"x" * (1 << 20)] * 226)

    def test_a_bomb_of_zstd(self):
        bomb = gzip.compress(bytes(64 << 20))
        self.check_counts("bomb", b"GET /count HTTP/1.1\r\nHost: bomb\r\n\r\nPOST / HTTP/1.1\r\nContent-Encoding: gzip\r\n"
                                  b"Content-Length: %d\r\n\r\n" % len(bomb), [bomb])

    def test_many_messages_and_a_long_one(self):
        message = bytes([0x82, 0xfe]) + struct.pack(">H", 60000) + bytes(4) + bytes(60000)
        long = bytes([0x82, 0xff]) + struct.pack(">Q", 114 << 20) + bytes(4)
        with connect(self.where) as sock:
            sock.sendall(b"GET /upgrade HTTP/1.1\r\nHost: frames\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
            sending = harness.background(self.send_and_end, sock, [message] * 3212 + [long] + [bytes(1 << 20)] * 114)
            size = 0
            while data := sock.recv(1 << 20):
                size += len(data)
            sending.result(60)
        self.assertGreater(size, 3212 * len(message) + (114 << 20))

    def send_and_end(self, sock, parts):
        for part in parts:
            sock.sendall(part)
        sock.shutdown(socket.SHUT_WR)

    def test_a_crowd_that_says_nothing_keeps_nobody_out(self):
        crowd = []
        self.addCleanup(lambda: [sock.close() for sock in crowd])
        for _ in range(10000):
            crowd.append(connect(self.where))
        self.assertEqual(body(get(self.where, "/answer/until-end")), b"all that comes")


if __name__ == "__main__":
    harness.main()

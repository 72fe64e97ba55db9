#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Flows in other forms: Debian's mitmproxy opens what ?format=mitm gives, and the HAR is one."""

import json
import os
import subprocess
import tempfile
import unittest

from mitmproxy.io import FlowReader

import jsonschema

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.environ["FLOW_FORMS"]


def give(form, path=None):
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "flows.jsonl")
        done = subprocess.run([PROGRAM, file, form], stdout=subprocess.PIPE, check=True)
        return done.stdout


class Mitm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = os.path.join(cls.folder.name, "flows.mitm")
        with open(cls.path, "wb") as file:
            file.write(give("mitm"))
        with open(cls.path, "rb") as file:
            cls.flows = list(FlowReader(file).stream())

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_all_flows_are_there(self):
        self.assertEqual([flow.type for flow in self.flows], ["http", "http", "http", "tcp", "http"])

    def test_a_request_and_its_answer(self):
        flow = self.flows[0]
        self.assertEqual((flow.request.method, flow.request.path, flow.request.content), ("POST", "/a?b=c", b"hello"))
        self.assertEqual((flow.request.pretty_url, flow.request.http_version), ("http://web/a?b=c", "HTTP/1.1"))
        self.assertEqual((flow.response.status_code, flow.response.reason), (200, "OK"))
        self.assertEqual((flow.response.text, len(flow.response.raw_content)), ("ok", 22))
        self.assertEqual(flow.client_conn.peername, ("192.0.2.1", 5))
        self.assertEqual(flow.server_conn.address, ("2001:db8::2", 80))
        self.assertEqual(flow.request.timestamp_start, 1700000000)
        self.assertIsNone(flow.error)

    def test_a_tunnel(self):
        self.assertEqual((self.flows[1].request.method, self.flows[1].request.authority), ("CONNECT", "y:22"))

    def test_a_websocket(self):
        flow = self.flows[2]
        self.assertEqual([(m.from_client, m.is_text, m.content) for m in flow.websocket.messages],
                         [(False, True, b"one"), (True, False, b"\0\xff")])
        self.assertEqual((flow.websocket.close_code, flow.websocket.closed_by_client), (1000, False))

    def test_raw_bytes(self):
        flow = self.flows[3]
        self.assertEqual([(m.from_client, m.content) for m in flow.messages],
                         [(True, b"hello\n"), (False, b"\0\1"), (True, b"bye")])

    def test_a_request_without_an_answer(self):
        self.assertIsNone(self.flows[4].response)
        self.assertIn("without an answer", self.flows[4].error.msg)

    def test_mitmdump_reads_the_file(self):
        done = subprocess.run(["mitmdump", "-n", "-r", self.path, "--set", "flow_detail=3"],
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        for text in ("/a?b=c", "hello", "/ws", "/none"):
            self.assertIn(text, done.stdout)
        self.assertNotIn("rror", done.stderr)


class Har(unittest.TestCase):
    def test_it_is_one(self):
        har = json.loads(give("har"))
        with open(os.path.join(HERE, "har-1.2.schema.json")) as file:
            jsonschema.Draft7Validator(json.load(file)).validate(har)
        entries = har["log"]["entries"]
        self.assertEqual([e["request"]["method"] for e in entries], ["POST", "CONNECT", "GET", "RAW", "GET"])
        self.assertEqual(entries[0]["response"]["content"]["text"], "ok")
        self.assertEqual(entries[3]["request"]["postData"]["text"], "hello\nbye")
        self.assertEqual(entries[2]["_webSocketMessages"][0]["data"], "one")


class Page(unittest.TestCase):
    def test_all_flows_have_what_readers_expect(self):
        page = json.loads(give("page"))
        self.assertEqual((len(page["flows"]), page["lost_flows"], page["damaged_lines"]), (5, 0, 0))
        for flow in page["flows"]:
            for member in ("id", "started_at", "duration_ms", "client", "server", "via", "request", "websocket", "error"):
                self.assertIn(member, flow)
            self.assertEqual(set(flow["request"]) & {"method", "url", "http_version", "headers", "body"},
                             {"method", "url", "http_version", "headers", "body"})
        self.assertEqual(page["flows"][0]["request"]["body"]["sha256"],
                         "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")


if __name__ == "__main__":
    unittest.main()

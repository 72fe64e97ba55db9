#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The API's outer rules: who gets in, which paths and methods there are, how errors look."""

import http.client
import json
import os
import socket
import subprocess
import tempfile

import harness
from harness import Node, NodeTest, new_id

ID = new_id("nobody")

# Every endpoint of the contract: the method, and a path of it.
ENDPOINTS = [
    ("POST", "/instances"),
    ("DELETE", f"/instances/{ID}"),
    ("PATCH", f"/instances/{ID}"),
    ("POST", "/admin/stop-all"),
    ("POST", "/admin/rescan-challenges"),
    ("POST", "/admin/challenges/plain/build"),
    ("POST", "/admin/challenges/build-all"),
    ("GET", "/admin/challenges/build-state"),
    ("POST", "/admin/challenges/plain/pull"),
    ("POST", "/admin/challenges/pull-all"),
    ("GET", "/admin/challenges/pull-state"),
    ("GET", f"/instances/{ID}/status"),
    ("GET", f"/instances/{ID}/health"),
    ("GET", "/health"),
    ("GET", f"/instances/{ID}/traffic"),
    ("GET", f"/instances/{ID}/containers"),
    ("GET", f"/instances/{ID}/container-logs"),
    ("GET", f"/instances/{ID}/pcap"),
    ("GET", f"/instances/{ID}/agent-runtime"),
    ("GET", f"/instances/{ID}/attachments"),
    ("GET", f"/instances/{ID}/attachments/hello.txt"),
    ("GET", f"/instances/{ID}/openvpn-config"),
    ("GET", f"/instances/{ID}/containers/abc/shell"),
]

# What an instance that was never known answers with 404 everywhere.
OF_AN_INSTANCE = [
    ("DELETE", "", None), ("PATCH", "", {"ttl": 60}), ("GET", "/status", None),
    ("GET", "/health", None), ("GET", "/containers", None), ("GET", "/container-logs", None),
    ("GET", "/attachments", None), ("GET", "/attachments/hello.txt", None), ("GET", "/traffic", None),
    ("GET", "/pcap", None), ("GET", "/agent-runtime", None), ("GET", "/openvpn-config", None),
    ("GET", "/containers/abc/shell", None),
]

node = None


def setUpModule():
    global node
    node = Node()


class Door(NodeTest):
    def assertUnauthorized(self, reply):
        self.assertError(reply, 401)
        self.assertRegex(reply.headers.get("WWW-Authenticate") or "", r"^Bearer\b", reply)

    def test_nothing_answers_without_the_token(self):
        for method, path in ENDPOINTS:
            with self.subTest(method=method, path=path):
                self.assertUnauthorized(node.call(method, path, token=None))
                self.assertUnauthorized(node.call(method, path, token="wrong"))

    def test_a_stranger_does_not_learn_which_paths_there_are(self):
        for path in ["/nothing", "/api/v1/nothing", "/", "/api/v1/instances/x/nothing"]:
            with self.subTest(path=path):
                self.assertUnauthorized(node.request("GET", path, token=None))
        self.assertUnauthorized(node.call("PUT", "/health", token=None))

    def test_almost_the_token_is_not_the_token(self):
        good = node.token
        for header in [
            f"Bearer {good}x", f"Bearer {good[:-1]}", f"Bearer x{good}", f"Bearer {good} {good}",
            f"Bearer {good.upper()}", "Bearer ", "Bearer", good, f"Basic {good}", f"Token {good}",
            f"Bearer {good}," , f"Bearer: {good}", "",
        ]:
            with self.subTest(header=header):
                self.assertUnauthorized(node.call("GET", "/health", token=None,
                                                  headers={"Authorization": header}))
        self.assertUnauthorized(node.request("GET", f"/api/v1/health?token={good}", token=None))
        self.assertStatus(node.call("GET", "/health"), 200)

    def test_a_stranger_cannot_start_or_stop(self):
        spec = node.spec("plain")
        self.assertUnauthorized(node.call("POST", "/instances", spec, token="wrong"))
        self.assertError(node.status(spec["instance_id"]), 404)
        self.assertUnauthorized(node.call("POST", "/admin/stop-all", token="wrong"))

    def test_unknown_paths_are_404_with_a_detail(self):
        for path in ["/nothing", "/", "", "/instances/a/b/c/d", f"/instances/{ID}/nothing",
                     "/admin", "/admin/nothing", "/admin/challenges/plain/nothing", "/healthy"]:
            with self.subTest(path=path):
                self.assertError(node.call("GET", path), 404)
        for path in ["/", "/health", "/api/v2/health", "/api", "/api/v1health", "//api/v1/health"]:
            with self.subTest(path=path):
                self.assertError(node.request("GET", path), 404)

    def test_wrong_methods_are_405_and_say_which_are_right(self):
        for method, path, allowed in [
            ("GET", "/instances", {"POST"}),
            ("PUT", "/instances", {"POST"}),
            ("POST", "/health", {"GET"}),
            ("DELETE", "/health", {"GET"}),
            ("GET", f"/instances/{ID}", {"DELETE", "PATCH"}),
            ("PUT", f"/instances/{ID}", {"DELETE", "PATCH"}),
            ("POST", f"/instances/{ID}/status", {"GET"}),
            ("DELETE", f"/instances/{ID}/health", {"GET"}),
            ("POST", f"/instances/{ID}/containers", {"GET"}),
            ("PUT", f"/instances/{ID}/container-logs", {"GET"}),
            ("POST", f"/instances/{ID}/attachments", {"GET"}),
            ("DELETE", f"/instances/{ID}/attachments/hello.txt", {"GET"}),
            ("GET", "/admin/stop-all", {"POST"}),
            ("GET", "/admin/rescan-challenges", {"POST"}),
            ("GET", "/admin/challenges/build-all", {"POST"}),
            ("POST", "/admin/challenges/build-state", {"GET"}),
            ("GET", "/admin/challenges/plain/pull", {"POST"}),
        ]:
            with self.subTest(method=method, path=path):
                reply = self.assertError(node.call(method, path), 405)
                said = {m.strip() for m in (reply.headers.get("Allow") or "").split(",")}
                # HEAD and OPTIONS are anybody's choice.
                self.assertEqual(said - {"HEAD", "OPTIONS"}, allowed, reply.headers)

    def test_the_doctor_leaves_a_directory_as_it_is(self):
        state = os.path.join(node.dir, "to-be")
        os.mkdir(state)
        for words in (["doctor"], ["node", "--check", "--challenges", node.challenges]):
            ran = subprocess.run([harness.CTFY, *words, "--state", state], stdout=subprocess.PIPE, check=False)
            self.assertIn(b"disk", ran.stdout)
            self.assertEqual(os.listdir(state), [])

    def test_the_check_names_challenges_that_would_not_start(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "typo"))
            with open(os.path.join(folder, "typo/compose.yml"), "w", encoding="ascii") as file:
                file.write("services: {web: {image: x, prots: [80]}}\n")
            ran = subprocess.run([harness.CTFY, "doctor", "--challenges", folder],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertRegex(ran.stderr, rb"typo.* would not start: .*prots")
        self.assertIn(b"disk", ran.stdout)

    def test_an_instance_never_known_is_404_everywhere(self):
        for method, path, body in OF_AN_INSTANCE:
            with self.subTest(method=method, path=path):
                reply = self.assertError(node.call(method, f"/instances/{ID}{path}", body), 404)
                self.assertIn(ID, reply.detail)

    def test_an_id_is_never_a_path(self):
        bad = ["-x", ".hidden", "..", "...", "_x", "a%20b", "a%00b", "%C3%A9", "a" * 64, "a:b", "a%0A",
               "a~b", "%2e%2e", "a*"]
        for instance_id in bad:
            for method, path, body in OF_AN_INSTANCE:
                with self.subTest(id=instance_id, method=method, path=path):
                    reply = node.call(method, f"/instances/{instance_id}{path}", body)
                    if instance_id in ("..", "%2e%2e"):
                        # A server that resolves dot segments sees another path, if a harmless one.
                        self.assertError(reply, 404, 405, 422)
                    elif "%00" in instance_id:
                        self.assertError(reply, 400, 422) # no text at all: may end before it is an id
                    else:
                        self.assertError(reply, 422)
        for path in ["/instances/a%2Fb/status", "/instances/..%2f..%2fx/status",
                     "/instances/%2Fetc%2Fpasswd/status", "/instances//status"]:
            with self.subTest(path=path):
                # Whether %2F divides is the server's choice; that nothing is found is not.
                self.assertError(node.call("GET", path), 404, 405, 422)


class Shapes(NodeTest):
    """The rows of the contract's table that have suites of their own: what they look like."""

    def test_images(self):
        for verb, doing, done, undone in [("build", "building", "built", "unbuilt"),
                                          ("pull", "pulling", "pulled", "unpulled")]:
            with self.subTest(verb=verb):
                state = lambda: {row["challenge_id"]: row for row in self.assertStatus(
                    node.call("GET", f"/admin/challenges/{verb}-state"), 200).json["rows"]}
                self.assertEqual(sorted(state()), sorted(os.listdir(harness.CHALLENGES)))
                self.assertEqual({row["status"] for row in state().values()}, {undone})
                row = node.call("POST", f"/admin/challenges/plain/{verb}")
                self.assertIn(row.status, range(200, 300), row)
                self.assertEqual((row.json["challenge_id"], row.json["status"]), ("plain", doing))
                row = harness.wait_for(lambda: (r := state()["plain"])["status"] != doing and r, 20, "an end of it")
                self.assertEqual((row["status"], row["error"]), (done, None), row)
                self.assertTime(row[f"{done}_at"])
                bulk = node.call("POST", f"/admin/challenges/{verb}-all", {"challenge_ids": []})
                self.assertIn(bulk.status, range(200, 300), bulk)
                self.assertEqual(bulk.json, {"queued": [], f"skipped_{done}": [], "skipped_in_progress": []})
                for path, body in [(f"nobody/{verb}", None), (f"{verb}-all", {"challenge_ids": ["plain", "nobody"]})]:
                    self.assertIn("nobody", self.assertError(node.call("POST", "/admin/challenges/" + path, body), 404).detail)
                for body in [{"challenge_ids": "plain"}, {"challenge_ids": [5]}, {"challenge_ids": ["../x"]}]:
                    self.assertError(node.call("POST", f"/admin/challenges/{verb}-all", body), 422)
                self.assertError(node.call("POST", f"/admin/challenges/.x/{verb}"), 422)

    def test_what_an_instance_without_sidecars_answers(self):
        row, _ = node.begin("web")
        path = f"/instances/{row['instance_id']}"
        traffic = self.assertStatus(node.call("GET", path + "/traffic"), 200).json
        self.assertEqual((traffic["instance_id"], traffic["flows"]), (row["instance_id"], []))
        self.assertIn("next", traffic)
        har = self.assertStatus(node.call("GET", path + "/traffic?format=har"), 200).json
        self.assertEqual((har["log"]["version"], har["log"]["entries"]), ("1.2", []))
        self.assertError(node.call("GET", path + "/pcap"), 404)
        self.assertError(node.call("GET", path + "/openvpn-config"), 404)
        runtime = self.assertStatus(node.call("GET", path + "/agent-runtime"), 200).json
        self.assertEqual(runtime["provider"], "docker")
        self.assertEqual(runtime["endpoints"], row["endpoints"])
        self.assertIsInstance(runtime["env"], dict)
        for key in ["proxy_url", "ca_pem"]:
            self.assertIn(key, runtime)
        for key in ["network", "containers"]:
            self.assertIn(key, runtime["docker"])
        container = next(iter(node.made(row["instance_id"])["container"]))
        self.assertError(node.call("GET", f"{path}/containers/{container}/shell"), 400, 426)


class Conversation(NodeTest):
    """HTTP as clients really speak it."""

    def test_a_connection_serves_many_requests(self):
        conn = http.client.HTTPConnection("127.0.0.1", node.port, timeout=10)
        sockets = set()
        for path in ["/health", "/nothing", "/instances/none/status", "/health"]:
            conn.request("GET", "/api/v1" + path, headers={"Authorization": f"Bearer {node.token}"})
            sockets.add(conn.sock)
            answer = conn.getresponse()
            self.assertIn("detail" if answer.status >= 400 else "running", json.loads(answer.read()))
        self.assertEqual(len(sockets), 1, "the node closed the connection in between")
        conn.close()

    def test_a_connection_survives_an_error_that_had_a_body(self):
        conn = http.client.HTTPConnection("127.0.0.1", node.port, timeout=10)
        for _ in range(3):
            conn.request("POST", "/api/v1/instances", b'{"challenge_id": 5}',
                         {"Authorization": f"Bearer {node.token}"})
            answer = conn.getresponse()
            self.assertEqual(answer.status, 422)
            answer.read()
        conn.close()

    def test_a_chunked_body_is_a_body(self):
        conn = http.client.HTTPConnection("127.0.0.1", node.port, timeout=10)
        body = json.dumps(node.spec("no-such-challenge")).encode()
        conn.request("POST", "/api/v1/instances", iter([body[:10], body[10:]]),
                     {"Authorization": f"Bearer {node.token}", "Transfer-Encoding": "chunked"},
                     encode_chunked=True)
        answer = conn.getresponse()
        self.assertEqual(answer.status, 404, answer.read())
        conn.close()

    def test_a_client_that_expects_100_continue_gets_on(self):
        body = json.dumps(node.spec("no-such-challenge")).encode()
        with socket.create_connection(("127.0.0.1", node.port), 10) as sock:
            sock.sendall(b"POST /api/v1/instances HTTP/1.1\r\nHost: node\r\nExpect: 100-continue\r\n"
                         b"Authorization: Bearer %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                         % (node.token.encode(), len(body)))
            self.assertIn(b" 100 ", sock.recv(4096).split(b"\r\n")[0])
            sock.sendall(body)
            self.assertIn(b" 404 ", sock.recv(4096).split(b"\r\n")[0])

    def test_garbage_does_not_hurt(self):
        for garbage in [b"\r\n\r\n", b"HELO there\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01" * 50,
                        b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n",
                        b"POST /api/v1/instances HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                        b"GET /api/v1/health HTTP/1.1\r\nX: " + b"y" * 100000 + b"\r\n\r\n"]:
            with socket.create_connection(("127.0.0.1", node.port), 1) as sock:
                try:
                    sock.sendall(garbage)
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(65536):
                        pass
                except OSError:
                    pass # a reset is an answer too
        self.assertStatus(node.call("GET", "/health"), 200)

    def test_a_huge_body_is_refused(self):
        """The status is the node's choice; taking it all in is not."""
        try:
            reply = node.call("POST", "/instances", b'{"challenge_id": "' + b"x" * (64 << 20) + b'"}')
        except OSError:
            reply = None # hung up on, in the middle
        if reply:
            self.assertError(reply, 400, 413, 422)
        with open(f"/proc/{node.process.pid}/status") as file:
            resident = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
        if not harness.is_sanitized():
            self.assertLess(resident, 64 << 10, "kB resident after a body of 64 MiB")
        self.assertStatus(node.call("GET", "/health"), 200)


class Heartbeat(NodeTest):
    def test_health_says_what_the_platform_needs(self):
        reply = self.assertStatus(node.call("GET", "/health"), 200)
        self.assertIn("application/json", reply.headers["Content-Type"])
        health = reply.json
        self.assertIs(type(health["running"]), int)
        self.assertIs(type(health["capacity"]), int)
        self.assertGreater(health["capacity"], 0)
        self.assertIsInstance(health["status"], str)
        self.assertIsInstance(health["version"], str)
        self.assertIn("engine", health)

    def test_running_counts_instances(self):
        before = node.running()
        row, _ = node.begin("plain")
        self.assertEqual(node.running(), before + 1)
        self.assertStatus(node.stop(row["instance_id"]), 204)
        self.assertEqual(node.running(), before)


if __name__ == "__main__":
    harness.main()

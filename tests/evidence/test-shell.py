#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The shell: a terminal in a container, over a WebSocket that a test can see every frame of."""

import http.client
import json
import struct
import threading
import time

from evidence import harness, new_node
from harness import NodeTest, engine, wait_for
from websocket import BINARY, CLOSE, PING, PONG, TEXT, Refused, WebSocket

node = None
row = None


def setUpModule():
    global node, row
    node = new_node()
    row, _ = node.begin("watched")


def path(instance_id, container, query=""):
    return f"/api/v1/instances/{instance_id}/containers/{container}/shell{query}"


class Shell:
    def __init__(self, container=None, query="", instance_id=None, headers=None):
        instance_id = instance_id or row["instance_id"]
        container = container or node.containers(instance_id)["web"]["Id"]
        self.ws = WebSocket("127.0.0.1", node.port, path(instance_id, container, query),
                            {"Authorization": f"Bearer {node.token}"} if headers is None else headers)
        self.output = b""
        self.control = []
        self.closed = None

    def type(self, text):
        self.ws.send(text.encode())

    def step(self):
        opcode, data = self.ws.receive()
        if opcode == BINARY:
            self.output += data
        elif opcode == TEXT:
            self.control.append(json.loads(data))
        elif opcode == CLOSE:
            self.closed = struct.unpack(">H", data[:2])[0]
            if self.closed is not None:
                self.ws.send(data[:2], CLOSE)

    def until(self, text):
        while text.encode() not in self.output:
            assert self.closed is None, f"closed with {self.closed} after {self.output!r}"
            self.step()

    def until_closed(self):
        while self.closed is None:
            self.step()


def processes():
    top = engine.json("GET", f"/containers/{node.containers(row['instance_id'])['web']['Id']}/top")
    return [line[-1] for line in top["Processes"]]


class Terminal(NodeTest):
    def test_what_is_typed_runs_and_its_end_is_told(self):
        shell = Shell(query="?cols=101&rows=37")
        shell.type("echo $((6*7)).; stty size\n")
        shell.until("42.")
        shell.until("37 101")
        shell.type("printf 'gr\\303\\274\\303\\237e'\n")
        shell.until("grüße")
        shell.ws.send(json.dumps({"type": "resize", "cols": 55, "rows": 12}).encode(), TEXT)
        shell.type("sleep 0.2; stty size\n")
        shell.until("12 55")
        shell.type("exit 7\n")
        shell.until_closed()
        self.assertEqual(shell.control, [{"type": "exit", "code": 7}])
        self.assertEqual(shell.closed, 1000)

    def test_a_sidecar_has_a_shell_too(self):
        shell = Shell(node.containers(row["instance_id"])["ctfy-capture"]["Name"].lstrip("/"))
        shell.type("ls /capture\n")
        shell.until("0-1.pcap")
        self.assertEqual(shell.ws.close(), 1000)

    def test_much_output_arrives_whole(self):
        shell = Shell()
        size = 40 << 20
        shell.type(f"stty -opost; head -c {size} /dev/zero | tr '\\0' x; echo; echo DO''NE\n")
        began = time.monotonic()
        count, tail = 0, b""
        while b"DONE" not in tail:
            _, data = shell.ws.receive()
            count += data.count(b"x")
            tail = (tail + data)[-64:]
        took = time.monotonic() - began
        self.assertGreaterEqual(count, size)
        self.assertGreater(size / took, 10 << 20, f"{took:.1f} s")
        shell.ws.close()

    def test_input_that_is_not_read_yet_waits(self):
        shell = Shell()
        data = (b"0123456789abcde\n" * 65536) # 1 MiB
        shell.type("stty raw -echo; echo RE''ADY; sleep 1; head -c 1048576 | sha256sum; echo DO''NE\n")
        shell.until("READY")
        sender = threading.Thread(target=shell.ws.send, args=[data])
        sender.start()
        shell.until("DONE")
        sender.join()
        self.assertIn(harness.sha256(data).encode(), shell.output)
        shell.ws.close()

    def test_a_client_that_leaves_ends_its_process(self):
        shell = Shell()
        shell.type("exec sleep 4321\n")
        wait_for(lambda: "sleep 4321" in processes(), 10, processes)
        shell.ws.sock.close()
        wait_for(lambda: "sleep 4321" not in processes(), 10, processes)

    def test_the_end_of_the_instance_ends_it(self):
        begun, _ = node.begin("watched")
        shell = Shell(instance_id=begun["instance_id"])
        shell.type("echo he''re\n")
        shell.until("here")
        self.assertStatus(node.stop(begun["instance_id"]), 204)
        shell.until_closed()
        self.assertIn(shell.closed, (1000, 1001))

    def test_who_came_is_in_the_timeline(self):
        shell = Shell()
        shell.ws.close()
        def events():
            return [e["event"] for e in node.call("GET", f"/instances/{row['instance_id']}/timeline").json["events"]]
        wait_for(lambda: "shell-closed" in events(), 10, events)
        self.assertIn("shell-opened", events())


class Frames(NodeTest):
    def test_pings_are_answered(self):
        shell = Shell()
        shell.ws.send(b"are you there", PING)
        while True:
            opcode, data = shell.ws.receive()
            if opcode == PONG:
                break
        self.assertEqual(data, b"are you there")
        shell.ws.close()

    def test_messages_may_come_in_parts(self):
        shell = Shell()
        for part, opcode, final in ((b"echo o", BINARY, False), (b"n'", 0, False), (b"'e\n", 0, True)):
            shell.ws.send(part, opcode, final)
        shell.until("\r\none")
        text = json.dumps({"type": "resize", "cols": 66, "rows": 11}).encode()
        shell.ws.send(text[:9], TEXT, False)
        shell.ws.send(b"x", PING)
        shell.ws.send(text[9:], 0, True)
        shell.type("sleep 0.2; stty size\n")
        shell.until("11 66")
        shell.ws.close()

    def test_nonsense_is_refused_with_its_code(self):
        cases = [(b"not json", TEXT, 1008), (b'{"type":"resize","cols":0,"rows":5}', TEXT, 1008),
                 (b"\xff\xfe", TEXT, 1007), (b"x" * 5000, TEXT, 1009), (b"x", 3, 1002), (b"x", 0, 1002),
                 (b"x" * 126, PING, 1002)]
        for data, opcode, code in cases:
            with self.subTest(data=data[:20], opcode=opcode):
                shell = Shell()
                shell.ws.send(data, opcode)
                shell.until_closed()
                self.assertEqual(shell.closed, code)

    def test_a_frame_without_mask_is_refused(self):
        shell = Shell()
        shell.ws.sock.sendall(bytes([0x82, 1]) + b"x")
        shell.until_closed()
        self.assertEqual(shell.closed, 1002)


class Refusals(NodeTest):
    def test_what_is_not_there_is_an_ordinary_error(self):
        for container in ("nothing", "0" * 64):
            with self.assertRaises(Refused) as refused:
                Shell(container)
            self.assertEqual(refused.exception.status, 404)
        with self.assertRaises(Refused) as refused:
            Shell("web", instance_id="never-known")
        self.assertEqual(refused.exception.status, 404)
        with self.assertRaises(Refused) as refused:
            Shell(headers={})
        self.assertEqual(refused.exception.status, 401)

    def test_another_version_is_told_which_one_there_is(self):
        conn = http.client.HTTPConnection("127.0.0.1", node.port, timeout=20)
        conn.request("GET", path(row["instance_id"], node.containers(row["instance_id"])["web"]["Id"]), headers={
            "Authorization": f"Bearer {node.token}", "Connection": "Upgrade", "Upgrade": "websocket",
            "Sec-WebSocket-Version": "8", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
        with conn.getresponse() as reply:
            self.assertEqual((reply.status, reply.getheader("Sec-WebSocket-Version")), (426, "13"))
            self.assertIn("13", json.load(reply)["detail"])
        conn.close()

    def test_anothers_container_is_none_of_ours(self):
        begun, _ = node.begin("watched")
        theirs = node.containers(begun["instance_id"])["web"]["Id"]
        with self.assertRaises(Refused) as refused:
            Shell(theirs)
        self.assertEqual(refused.exception.status, 404)

    def test_a_request_for_no_websocket_is_refused(self):
        container = node.containers(row["instance_id"])["web"]["Id"]
        self.assertError(node.request("GET", path(row["instance_id"], container)), 400)


class Ending(NodeTest):
    def test_the_node_ends_in_spite_of_open_shells(self):
        other = new_node()
        self.addCleanup(other.close)
        begun, _ = other.begin("vpn-own")
        container = other.containers(begun["instance_id"])["openvpn"]["Id"]
        ws = WebSocket("127.0.0.1", other.port, path(begun["instance_id"], container),
                       {"Authorization": f"Bearer {other.token}"})
        ws.send(b"echo x\n")
        self.assertEqual(ws.receive()[0], BINARY)
        self.assertEqual(other.terminate(), 0)


if __name__ == "__main__":
    harness.main()

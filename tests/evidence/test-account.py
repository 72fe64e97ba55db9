#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a bundle says of what it has not: noise, bursts, a full disk, agents that write a lot, killed recorders."""

import base64
import json
import os
import subprocess
import tempfile

from agent import ready_runtime
from bundle import unpack, verify
from evidence import begin_first, harness, new_node
from harness import NodeTest, engine, fetch_soon, wait_for

node = None


def setUpModule():
    global node
    node = new_node()


class AccountTest(NodeTest):
    def bundle(self, instance_id, of=None):
        """(parts, manifest's account, what `ctfy evidence verify` says)"""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "bundle")
            with open(path, "wb") as file:
                reply = (of or node).call("GET", f"/instances/{instance_id}/evidence", timeout=300)
                file.write(self.assertStatus(reply, 200).body)
            code, words = verify(path)
            self.assertEqual(code, 0, words)
            parts = unpack(path)
            return parts, json.loads(parts["manifest.json"])["account"], words

    def exec(self, container, script):
        code, words = engine.exec(container["Id"], ["sh", "-c", script], timeout=300)
        self.assertEqual(code, 0, words)
        return words

    @staticmethod
    def lines(part):
        return [json.loads(line) for line in part.decode().splitlines()]


class Logs(AccountTest):
    def test_a_noisy_service_leaves_the_others_their_lines_and_it_is_said(self):
        row, _ = begin_first(node, "watched")
        containers = node.containers(row["instance_id"])
        self.exec(containers["store"], "echo early words > /proc/1/fd/1")
        # More than the engine keeps of one service.
        self.exec(containers["web"], "i=0; while [ $i -lt 30 ]; do head -c 1000000 /dev/zero | tr '\\0' x | fold -w 99;"
                                     " echo; i=$((i+1)); done > /proc/1/fd/1")
        wait_for(lambda: b"early words" in self.bundle(row["instance_id"])[0]["logs.txt"], 60, "the early words")
        parts, account, words = self.bundle(row["instance_id"])
        self.assertIn(b"store | early words\n", parts["logs.txt"])
        self.assertFalse(account["complete"])
        self.assertIn("'web' filled the engine's log", words)
        self.assertNotIn("'store' filled", words)
        logs = node.call("GET", f"/instances/{row['instance_id']}/container-logs").json["logs"]
        self.assertIn("store | early words\n", logs)
        self.assertIn("* | web: earlier lines are left out\n", logs)

    WRITTEN = [b"web-like \\033[31mred\\033]0;title\\a", b"one\\rstore | forged", b"bytes \\377\\376 of no text",
               b"\\302\\233 \\342\\200\\256 turned", b"2026-11-23T01:16:56.123456789Z a time of its own"]

    def test_no_line_passes_for_anothers_and_all_bytes_are_kept(self):
        row, _ = begin_first(node, "watched")
        web = node.containers(row["instance_id"])["web"]
        for text in self.WRITTEN:
            self.exec(web, f"printf '{text.decode()}\\n' > /proc/1/fd/1")
        self.exec(web, "head -c 40000 /dev/zero | tr '\\0' y > /proc/1/fd/1; echo ' end' > /proc/1/fd/1")
        def seen():
            return b" end" in node.call("GET", f"/instances/{row['instance_id']}/container-logs").body
        wait_for(seen, 30, "the last line")
        self.assertStatus(node.stop(row["instance_id"]), 204)
        parts, account, _ = self.bundle(row["instance_id"])
        told = [line for line in self.lines(parts["logs.jsonl"]) if line["service"] == "web"]
        exact = [base64.b64decode(line["base64"]) if "base64" in line else line["text"].encode() for line in told]
        self.assertEqual(exact[:len(self.WRITTEN)], [eval(f"b'{text.decode()}'") for text in self.WRITTEN])
        self.assertEqual(exact[-1], b"y" * 40000 + b" end")
        self.assertEqual({line["stream"] for line in told}, {"stdout"})
        self.assertTrue(all(line["at"].endswith("Z") and line["container"] for line in told))
        for name, text in parts.items():
            if name not in ("capture.pcap",):
                self.assertNotIn(b"\x1b", text, name)
                self.assertNotIn(b"\xe2\x80\xae", text, name)
        self.assertIn(b"web | one\\x0dstore | forged\n", parts["logs.txt"])
        self.assertEqual([line for line in parts["logs.txt"].decode().splitlines() if line.startswith("store |")], [])
        self.assertIn("web | " + "y" * 40000 + " end\n", parts["logs.txt"].decode())


class Packets(AccountTest):
    def test_a_burst_leaves_what_came_before_it_and_is_counted(self):
        row, spec = begin_first(node, "watched")
        instance_id = row["instance_id"]
        containers = node.containers(instance_id)
        self.assertEqual(fetch_soon("127.0.0.1", row["endpoints"][0]["port"]), spec["answers"]["flag"])
        store = next(iter(containers["store"]["NetworkSettings"]["Networks"].values()))["IPAddress"]
        self.exec(containers["web"], f"printf 'GET /before HTTP/1.0\\r\\n\\r\\n' | busybox nc {store} 80")
        self.exec(containers["store"], "head -c 500000000 /dev/zero > /www/large")
        for _ in range(2):
            self.exec(containers["web"], f"wget -q -O /dev/null http://{store}/large")
        self.exec(containers["web"], f"printf 'GET /after HTTP/1.0\\r\\n\\r\\n' | busybox nc {store} 80")
        self.assertStatus(node.stop(instance_id), 204)
        size = sum(os.path.getsize(os.path.join(folder, name))
                   for folder, _, names in os.walk(os.path.join(node.evidence, instance_id, "capture")) for name in names)
        self.assertLess(size, 700 << 20)
        parts, account, words = self.bundle(instance_id)
        inner = account["captures"][1] if account["captures"][1]["packets"] > account["captures"][0]["packets"] \
            else account["captures"][0]
        self.assertGreater(inner["left_out_packets"] + inner["dropped"], 0, account)
        self.assertIn("capture.pcap:", words)
        self.assertFalse(account["complete"])
        self.assertIn(b"GET /before", parts["capture.pcap"])
        self.assertIn(b"GET /after", parts["capture.pcap"])

    def test_a_capture_that_was_killed_is_said(self):
        row, _ = begin_first(node, "watched")
        sidecar = node.containers(row["instance_id"])["ctfy-capture"]
        os.kill(int(subprocess.run(["pgrep", "-P", str(sidecar["State"]["Pid"])], check=True, capture_output=True,
                                   text=True).stdout.split()[0]), 9)
        def again():
            account = self.bundle(row["instance_id"])[1]
            return [c["starts"] for c in account["captures"] if c["recorder"] == "ctfy-capture"] == [2] and account
        account = wait_for(again, 60, "another start")
        self.assertFalse(account["complete"])
        self.assertTrue(any("begun 2 times" in why for why in account["missing"]), account)


class Agents(AccountTest):
    def test_many_runs_that_write_a_lot_make_no_bundle_impossible(self):
        row, _ = begin_first(node, "recorded")
        instance_id = row["instance_id"]
        ready_runtime(node, instance_id)
        for _ in range(5):
            reply = node.call("POST", f"/instances/{instance_id}/agent-runs", {"image": "ctfy/busybox", "command": [
                "sh", "-c", "echo begin; head -c 20000000 /dev/zero | tr '\\0' x | fold -w 200; echo end"]}, timeout=300)
            self.assertStatus(reply, 200)
        self.assertStatus(node.stop(instance_id, timeout=300), 204)
        parts, account, words = self.bundle(instance_id)
        agents = json.loads(parts["agents.json"])
        self.assertEqual(len(agents), 5)
        for agent in agents:
            self.assertTrue(agent["stdout"].startswith("begin\n"))
            self.assertTrue(agent["stdout"].endswith("end\n"))
            self.assertGreater(agent["stdout_left_out"], 19_000_000)
            self.assertLess(len(agent["stdout"]), 1 << 20)
        self.assertFalse(account["complete"])
        self.assertIn("of 'ctfy-agent' had no room", words)


class FullDisk(AccountTest):
    """Evidence on a real file system of a few megabytes, which fills."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="ctfy-full-")
        self.addCleanup(os.rmdir, self.folder)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", self.folder], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.folder], check=True)
        self.node = new_node(start=False)
        self.addCleanup(self.node.close)
        self.node.options["evidence"] = self.node.evidence = self.folder
        self.node.start()

    def fill(self):
        """The file that takes all that is left."""
        path = os.path.join(self.folder, "filler")
        fd = os.open(path, os.O_WRONLY | os.O_CREAT)
        try:
            while os.write(fd, bytes(4096)):
                pass
        except OSError:
            return path
        finally:
            os.close(fd)

    def check(self, instance_id):
        parts, account, words = self.bundle(instance_id, self.node)
        self.assertIn(b"/before", parts["flows.jsonl"])
        self.assertIn(b"/after", parts["flows.jsonl"])
        for name in ("instance.json", "timeline.json", "containers.json", "logs.txt", "logs.jsonl", "capture.pcap"):
            self.assertIn(name, parts, words)
        self.assertFalse(account["complete"], words)
        self.assertIn("cut short", words)

    def test_what_was_cut_short_is_skipped_and_counted_and_the_rest_is_there(self):
        row, _ = begin_first(self.node, "recorded")
        instance_id, port = row["instance_id"], row["endpoints"][0]["port"]
        flows = os.path.join(self.folder, instance_id, "traffic", "flows.jsonl")
        def has(text):
            with open(flows, "rb") as file:
                return text in file.read()
        fetch_soon("127.0.0.1", port, "/before", seconds=60)
        wait_for(lambda: has(b"/before"), 30, "the first flow")
        filler = self.fill()
        def is_cut():
            """A page of the file system is the least that a write gets: the next one is cut at its end."""
            try:
                harness.fetch("127.0.0.1", port, "/while-full?" + "x" * 2000)
            except OSError:
                pass
            with open(flows, "rb") as file:
                return not file.read().endswith(b"\n")
        wait_for(is_cut, 60, "a line that was cut short")
        os.unlink(filler)
        def goes_on():
            harness.fetch("127.0.0.1", port, "/after")
            return has(b"/after")
        wait_for(goes_on, 60, "a flow behind it")
        self.check(instance_id)
        self.assertStatus(self.node.stop(instance_id), 204)
        self.check(instance_id)


if __name__ == "__main__":
    harness.main()

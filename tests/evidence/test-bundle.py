#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The evidence bundle: all of an instance in one file, and `ctfy evidence verify` about it."""

import http.client
import json
import os
import shutil
import subprocess
import tempfile
import time

from bundle import unpack, verify
from evidence import begin_first, harness, new_node
from harness import EngineProxy, NodeTest, background, fetch_soon, sha256, wait_for

node = None
row = None
spec = None
directory = None


def setUpModule():
    global node, row, spec, directory
    node = new_node()
    row, spec = begin_first(node, "recorded")
    fetch_soon("127.0.0.1", row["endpoints"][0]["port"], "/flag", seconds=60)
    directory = tempfile.TemporaryDirectory(prefix="ctfy-bundle-")


def tearDownModule():
    directory.cleanup()


def bundle(name, instance_id=None, of=None):
    """Saved under that name; its path."""
    reply = (of or node).call("GET", f"/instances/{instance_id or row['instance_id']}/evidence")
    assert reply.status == 200, reply
    path = os.path.join(directory.name, name)
    with open(path, "wb") as file:
        file.write(reply.body)
    return path


def unsqueeze(path):
    return subprocess.run(["zstd", "-dcq", path], capture_output=True)


def seal(manifest):
    """The hash over all else that it says."""
    rest = {name: value for name, value in manifest.items() if name != "sha256"}
    return sha256(json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


class Bundle(NodeTest):
    def check_parts(self, parts):
        manifest = json.loads(parts["manifest.json"])
        self.assertEqual(manifest["instance_id"], row["instance_id"])
        self.assertEqual([(p["name"], p["size"], p["sha256"]) for p in manifest["parts"]],
                         [(name, len(data), sha256(data)) for name, data in parts.items() if name != "manifest.json"])
        self.assertEqual(manifest["sha256"], seal(manifest))
        self.assertTrue(manifest["account"]["complete"], manifest["account"])
        self.assertEqual(manifest["account"]["missing"], [])
        self.assertEqual([part["name"] for part in manifest["account"]["absent"]], ["agents.json"])
        self.assertEqual(json.loads(parts["answers.json"])["flag"], sha256(spec["answers"]["flag"].encode()))
        asked = [json.loads(line)["request"]["url"] for line in parts["flows.jsonl"].splitlines()]
        self.assertTrue(any("/flag" in url for url in asked), asked) # not the first, where the service wasn't there yet
        self.assertEqual(json.loads(parts["flows.har"])["log"]["version"], "1.2")
        self.assertIn(b"web | serving", parts["logs.txt"].replace(b"  ", b" "))
        self.assertIn("web", [c["Config"]["Labels"][harness.LABEL_SERVICE] for c in json.loads(parts["containers.json"])])
        self.check_hidden(parts)
        self.assertIn("starting", [event["event"] for event in json.loads(parts["timeline.json"])])
        subprocess.run(["tcpdump", "-nr", "-"], input=parts["capture.pcap"], check=True, capture_output=True)

    def check_hidden(self, parts):
        """The answer is in the evidence where it was said, and nowhere else."""
        flag = spec["answers"]["flag"].encode()
        self.assertIn(flag, parts["flows.jsonl"])
        for name in ("instance.json", "containers.json", "timeline.json", "answers.json"):
            self.assertNotIn(flag, parts[name], name)
        self.assertIn(b"FLAG=[answer:flag sha256:" + sha256(flag).encode() + b"]", parts["containers.json"])

    def test_it_has_everything_and_is_as_it_was_packed(self):
        path = bundle("running")
        self.check_parts(unpack(path))
        code, words = verify(path)
        self.assertEqual(code, 0, words)
        self.assertIn(row["instance_id"], words)
        self.assertIn("complete: nothing", words)

    def test_it_can_be_had_after_the_end(self):
        begun, told = node.begin("recorded")
        fetch_soon("127.0.0.1", begun["endpoints"][0]["port"], "/last", seconds=60)
        self.assertStatus(node.stop(begun["instance_id"]), 204)
        self.assertGone(node, begun["instance_id"])
        path = bundle("ended", begun["instance_id"])
        self.assertEqual(verify(path)[0], 0, verify(path)[1])
        parts = unpack(path)
        self.assertIn(b"serving", parts["logs.txt"])
        self.assertIn(b"packets captured", parts["logs.txt"])
        self.assertIn(b"/last", parts["flows.jsonl"])
        self.assertEqual(json.loads(parts["instance.json"])["status"], "stopped")
        self.assertNotIn(told["answers"]["flag"].encode(), parts["containers.json"])

    def test_an_unknown_instance_has_none(self):
        self.assertError(node.call("GET", "/instances/never-known/evidence"), 404)


class Killed(NodeTest):
    """kill -9 of the node while evidence is made."""

    def setUp(self):
        self.proxy = EngineProxy(tempfile.mkdtemp(prefix="ctfy-node-test-"))
        self.addCleanup(shutil.rmtree, os.path.dirname(self.proxy.path), True)
        self.node = new_node(engine_url=self.proxy.url)
        self.addCleanup(self.node.close)
        self.row, _ = begin_first(self.node, "watched")
        self.id = self.row["instance_id"]
        fetch_soon("127.0.0.1", self.row["endpoints"][0]["port"], seconds=60)

    def kill_while_held(self, work, until=lambda: True):
        """Kills it when the engine call that matches what is held has come, in the middle of work."""
        job = background(work)
        self.proxy.wait_held(60)
        wait_for(until, 60, "what else is to have happened")
        self.node.kill()
        self.proxy.release()
        try:
            return job.result(60)
        except (OSError, http.client.HTTPException):
            return None

    def check(self):
        path = bundle("after", self.id, self.node)
        self.assertEqual(verify(path)[0], 0, verify(path)[1])
        return unpack(path)

    def test_a_bundle_is_whole_or_shown_to_be_none(self):
        self.proxy.hold(r"GET /[^/]*/containers/[0-9a-f]+/logs") # some parts are on their way by then
        reply = self.kill_while_held(lambda: self.node.call("GET", f"/instances/{self.id}/evidence"))
        if reply:
            path = os.path.join(directory.name, "cut")
            with open(path, "wb") as file:
                file.write(reply.body)
            self.assertEqual(verify(path)[0], 1, verify(path)[1])
        self.node.start()
        self.assertIn("capture.pcap", self.check())

    def test_what_was_written_down_before_the_end_stays_whole(self):
        containers = self.node.containers(self.id)
        sidecars = [c for name, c in containers.items() if name.startswith("ctfy-")] # what records goes last
        last = min(sidecars, key=lambda container: container["Created"]) # of these, the newest go first
        self.proxy.hold(rf"DELETE /[^/]*/containers/{last['Id']}")
        self.kill_while_held(lambda: self.node.stop(self.id), lambda: len(self.node.made(self.id)["container"]) == 1)
        self.node.start()
        wait_for(lambda: self.node.state_of(self.id) == "stopped", 60, lambda: self.node.status(self.id))
        parts = self.check()
        told = {c["Id"] for c in json.loads(parts["containers.json"])}
        self.assertEqual(told, {c["Id"] for c in containers.values()})
        self.assertIn(b"packets captured", parts["logs.txt"])

    def test_what_was_half_written_down_is_written_anew(self):
        self.proxy.hold(r"GET /[^/]*/containers/[0-9a-f]+/logs")
        self.kill_while_held(lambda: self.node.stop(self.id))
        self.node.start()
        wait_for(lambda: self.node.state_of(self.id) == "stopped", 60, lambda: self.node.status(self.id))
        parts = self.check()
        self.assertIn(b"packets captured", parts["logs.txt"])
        self.assertEqual(len(json.loads(parts["containers.json"])), 4)


class Retention(NodeTest):
    def test_what_is_forgotten_goes_and_nothing_else(self):
        other = new_node()
        self.addCleanup(other.close)
        def place(name, part, age):
            path = os.path.join(other.evidence, name)
            os.makedirs(os.path.join(path, part))
            os.utime(path, (time.time() - age, time.time() - age))
            return path
        week = 7 * 24 * 3600
        old = place("long-ago", "capture", week + 60)
        young = place("lately", "capture", week - 3600)
        strange = place("of-somebody", "flows", week + 60)
        other.restart() # it sweeps when it starts, or a minute later
        wait_for(lambda: not os.path.exists(old), 90, "the old one gone")
        self.assertTrue(os.path.exists(young))
        self.assertTrue(os.path.exists(strange))


class Verify(NodeTest):
    def test_a_flipped_byte_is_found(self):
        path = bundle("flipped")
        with open(path, "rb") as file:
            data = file.read()
        self.assertTrue(data[4] & 4, "a checksum of the whole, by zstd's own header")
        tar, same = unsqueeze(path).stdout, 0
        for at in [*range(6), *range(6, len(data), max(1, len(data) // 200)), *range(len(data) - 4, len(data))]:
            for bit in (1, 16):
                with open(path, "wb") as file:
                    file.write(data[:at] + bytes([data[at] ^ bit]) + data[at + 1:])
                code, words = verify(path)
                if code == 0: # zstd can say the same in other words: with a copy from elsewhere, say
                    done = unsqueeze(path)
                    self.assertEqual((done.returncode, done.stdout == tar), (0, True), f"byte {at}, bit {bit}: {words}")
                    same += 1
                else:
                    self.assertEqual(code, 1, f"byte {at} of {len(data)}, bit {bit}: {words}")
        self.assertLess(same, 20)

    def repack(self, change):
        path = bundle("changed")
        parts = unpack(path)
        change(parts)
        with tempfile.TemporaryDirectory() as folder:
            for name, content in parts.items():
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(content)
            subprocess.run(["tar", "--zstd", "-cf", path, "-C", folder, *parts], check=True)
        return verify(path)

    def test_what_is_packed_anew_the_same_is_fine(self):
        self.assertEqual(self.repack(lambda parts: None)[0], 0)

    def test_a_changed_part_is_named(self):
        code, words = self.repack(lambda parts: parts.update({"logs.txt": parts["logs.txt"] + b"more\n"}))
        self.assertEqual(code, 1)
        self.assertIn("'logs.txt'", words)

    def test_a_missing_or_added_part_is_named(self):
        self.assertIn("'flows.jsonl' is missing", self.repack(lambda parts: parts.pop("flows.jsonl"))[1])
        self.assertIn("'more' was added", self.repack(lambda parts: parts.update(more=b"x"))[1])

    def test_a_manifest_that_was_changed_is_found(self):
        def forge(parts):
            parts["logs.txt"] = b"forged\n"
            manifest = json.loads(parts["manifest.json"])
            for part in manifest["parts"]:
                if part["name"] == "logs.txt":
                    part.update(size=7, sha256=sha256(b"forged\n"))
            parts["manifest.json"] = json.dumps(manifest).encode()
        code, words = self.repack(forge)
        self.assertEqual(code, 1)
        self.assertIn("manifest", words)

    def test_whatever_a_manifest_says_is_under_its_hash(self):
        for name, value in [("instance_id", "another"), ("challenge_id", "another"), ("version", 4),
                            ("made_at", "2001-01-01T00:00:00.000Z"), ("more", "x")]:
            code, words = self.repack(lambda parts: parts.update({"manifest.json": json.dumps(
                {**json.loads(parts["manifest.json"]), name: value}).encode()}))
            self.assertEqual(code, 1, name)
            self.assertIn("its manifest was changed", words)

    def test_manifests_of_the_versions_before_are_read(self):
        def older(version):
            def change(parts):
                manifest = json.loads(parts["manifest.json"])
                manifest["version"] = version
                sums = [f"{p['sha256']}  {p['name']}\n" for p in manifest["parts"]]
                account = manifest.pop("account")
                if version == 2:
                    manifest["account"] = account
                    text = json.dumps(account, sort_keys=True, separators=(",", ":"))
                    sums.append(f"{sha256(text.encode())}  account\n")
                parts["manifest.json"] = json.dumps(
                    {**manifest, "sha256": sha256("".join(sums).encode())}).encode()
            return change
        for version in (1, 2):
            code, words = self.repack(older(version))
            self.assertEqual(code, 0, words)

    def test_what_is_no_bundle_is_refused(self):
        for content in (b"", b"hello", os.urandom(1000)):
            path = os.path.join(directory.name, "nonsense")
            with open(path, "wb") as file:
                file.write(content)
            self.assertEqual(verify(path)[0], 1)
        self.assertEqual(verify("/nowhere")[0], 1)


if __name__ == "__main__":
    harness.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Archives on S3 storage: `ctfy platform`, a node that says what it is told to, and s3rver behind a
check of AWS's signatures."""

import http.client
import http.server
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "e2e"))
sys.dont_write_bytecode = True

import peers  # noqa: E402
from cluster import Platform, Team, harness  # noqa: E402

LOGS = "gate | a line of its log\n" * 200_000
BUNDLE = bytes(range(256)) * 20_000
SECRET = "S3RVER"
S3_PARTS = os.environ.get("S3_PARTS") or HERE.parents[1] / "build/tests/peers/s3-parts"
PATIENCE = 180 # the longest pause between two tries is 60


class FakeNode(http.server.BaseHTTPRequestHandler):
    """What a node says of instances, all of which run as soon as they are asked for."""
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", kind="application/json"):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        what = self.path.split("?")[0].rsplit("/", 1)[1]
        if what == "container-logs":
            self.answer(200, {"logs": LOGS})
        elif what == "evidence":
            self.answer(200, BUNDLE, "application/zstd")
        elif what == "health":
            self.answer(200, {"status": "ok", "running": 0, "capacity": 10, "is_healthy": True, "services": []})
        else:
            self.answer(404, {"detail": "nothing of it"})

    def do_POST(self):
        self.answer(201, {"instance_id": "x", "status": "running", "endpoints": [], "services": [],
                          "started_at": "2999-01-01T00:00:00Z", "expires_at": "2999-01-01T01:00:00Z"})

    def do_DELETE(self):
        self.answer(200, {})

    def log_message(self, *args):
        pass


class World:
    """A platform whose archives go to the storage, and a team that plays on it."""

    def __init__(self, address="http://127.0.0.1:{port}/files/kept", secret=SECRET):
        self.dir = tempfile.TemporaryDirectory(prefix="ctfy-peers-")
        root = Path(self.dir.name)
        self.objects = root / "objects"
        self.storage = peers.Peer("s3.mjs", self.objects)
        (root / "challenges/web").mkdir(parents=True)
        (root / "challenges/web/challenge.yml").write_text("name: Web\nvalue: 100\nflags: [x]\n")
        (root / "challenges/web/compose.yml").write_text("services:\n  gate:\n    image: busybox\n    ports: ['80']\n")
        (root / "credentials").write_text(
            f"[default]\naws_access_key_id = S3RVER\naws_secret_access_key = {secret}\n")
        self.node = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FakeNode)
        threading.Thread(target=self.node.serve_forever, daemon=True).start()
        self.platform = Platform(root / "challenges", **{
            "archive-s3": address.format(port=self.storage.port), "archive-s3-region": "test-1",
            "archive-s3-credentials": root / "credentials"})
        secret = (self.platform.state / "join-secret").read_text().strip()
        self.platform.ask("POST", "/nodes/register", {"join_secret": secret, "name": "n1",
                          "url": f"http://127.0.0.1:{self.node.server_address[1]}"})
        harness.wait_for(lambda: self.platform.ask("GET", "/admin/nodes")["nodes"][0]["state"] == "healthy",
                         PATIENCE, lambda: f"a node\n{self.platform.tail()}")
        self.team = Team(self.platform, "rockets")

    def close(self):
        self.platform.close()
        self.node.shutdown()
        self.node.server_close()
        self.storage.close()
        self.dir.cleanup()

    def play(self):
        """Starts an instance and stops it; its id once it has ended."""
        self.team.start("web")
        told = self.team.ask("DELETE", "/challenges/web/instance")
        harness.wait_for(lambda: self.team.instance("web")["status"] == "stopped", PATIENCE,
                         lambda: f"its end\n{self.platform.tail()}")
        return told["id"]

    def archive(self, instance):
        return self.platform.ask("GET", f"/admin/archives?instance={instance}")["archives"][0]

    def wait_until_sent(self, instance):
        """The archive, once the storage has it."""
        def is_sent():
            archive = self.archive(instance)
            return all("sha256" in file for file in archive["files"]) and not archive["detail"] and archive
        return harness.wait_for(is_sent, PATIENCE, lambda: f"on the storage: {self.archive(instance)}")

    def wait_for_detail(self, instance, words):
        harness.wait_for(lambda: words in (self.archive(instance)["detail"] or ""), PATIENCE,
                         lambda: f"'{words}' in {self.archive(instance)}")

    def get(self, archive, name):
        return self.platform.call("GET", f"/admin/archives/{archive['id']}/{name}")

    def on_disk(self):
        return sorted(path.name for path in (self.platform.state / "archive").rglob("*") if path.is_file())

    def stored(self):
        return sorted(path.name for path in self.objects.rglob("*._S3rver_object"))

    def metric(self, name):
        text = self.platform.call("GET", "/metrics", root="").body.decode()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))


class Archive(unittest.TestCase):
    def world(self, **more):
        world = World(**more)
        self.addCleanup(world.close)
        return world

    def check_whole(self, world, archive):
        for name, content in (("logs.txt", LOGS.encode()), ("evidence.tar.zst", BUNDLE)):
            reply = world.get(archive, name)
            self.assertEqual(reply.status, 200, reply)
            self.assertEqual(reply.body, content)
            self.assertIn(f"-{name}", reply.headers["Content-Disposition"])

    def test_an_archive_goes_to_the_storage_comes_back_and_expires(self):
        world = self.world()
        instance = world.play()
        archive = world.wait_until_sent(instance)
        hashes = {file["name"]: (file["size"], file["sha256"]) for file in archive["files"]}
        self.assertEqual(hashes, {
            "logs.txt": (len(LOGS), harness.sha256(LOGS.encode())),
            "evidence.tar.zst": (len(BUNDLE), harness.sha256(BUNDLE))})
        harness.wait_for(lambda: world.on_disk() == [], PATIENCE, world.on_disk)
        self.assertEqual(len(world.stored()), 2)
        self.check_whole(world, archive)
        self.assertEqual(world.get(archive, "capture.pcap").status, 404)
        self.assertEqual(world.metric("ctfy_archives_unsent"), 0)

        world.platform.kill()
        left = world.platform.state / "archive" / archive["id"]
        left.mkdir()
        (left / "logs.txt").write_text("of a platform that was killed before it removed it")
        world.platform.start()
        harness.wait_for(lambda: world.on_disk() == [], PATIENCE, world.on_disk)
        self.check_whole(world, archive)

        world.platform.kill()
        with sqlite3.connect(world.platform.state / "platform.db") as store:
            store.execute("UPDATE archive SET owed_at = 0")
        store.close()
        world.platform.start()
        harness.wait_for(lambda: world.stored() == [], PATIENCE, world.stored)
        harness.wait_for(lambda: world.platform.ask("GET", "/admin/archives")["archives"] == [], PATIENCE,
                         lambda: "the archive's end")

    def test_what_goes_in_parts_comes_back_whole(self):
        with tempfile.TemporaryDirectory(prefix="ctfy-peers-") as folder:
            storage = peers.Peer("s3.mjs", Path(folder) / "objects")
            self.addCleanup(storage.close)
            file = Path(folder) / "file"
            file.write_bytes(os.urandom(12_000_000))
            environment = {**os.environ, "AWS_ACCESS_KEY_ID": "S3RVER", "AWS_SECRET_ACCESS_KEY": SECRET}
            got = subprocess.run([S3_PARTS, f"http://127.0.0.1:{storage.port}/files", file], env=environment,
                                 stdout=subprocess.PIPE, check=True)
            self.assertEqual(harness.sha256(got.stdout), harness.sha256(file.read_bytes()))

    def test_a_bucket_may_have_a_host_of_its_own(self):
        world = self.world(address="http://files.s3.localhost:{port}")
        self.check_whole(world, world.wait_until_sent(world.play()))

    def test_while_the_storage_refuses_nothing_is_lost_and_no_instance_waits(self):
        world = self.world()
        world.storage.tell("refuse")
        instances = [world.play(), world.play()]
        world.wait_for_detail(instances[0], "503 SlowDown")
        world.platform.kill()
        world.platform.start()
        world.wait_for_detail(instances[1], "503 SlowDown")
        self.assertEqual(world.metric("ctfy_archives_unsent"), 2)
        for instance in instances:
            self.check_whole(world, world.archive(instance))
        world.storage.tell("nothing")
        for instance in instances:
            self.check_whole(world, world.wait_until_sent(instance))
        self.assertEqual(world.metric("ctfy_archives_unsent"), 0)
        self.assertEqual(world.metric("ctfy_archive_lag_seconds"), 0)

    def test_an_upload_that_is_cut_or_arrives_damaged_is_made_again(self):
        world = self.world()
        for fault, words in (("cut", "archive storage"), ("damage", "XAmzContentSHA256Mismatch")):
            world.storage.tell(fault)
            instance = world.play()
            world.wait_for_detail(instance, words)
            world.storage.tell("nothing")
            self.check_whole(world, world.wait_until_sent(instance))

    def test_what_the_storage_spoilt_is_cut_off(self):
        world = self.world()
        archive = world.wait_until_sent(world.play())
        harness.wait_for(lambda: world.on_disk() == [], PATIENCE, world.on_disk)
        world.storage.tell("spoil")
        with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
            world.get(archive, "logs.txt")
        world.storage.tell("refuse")
        reply = world.get(archive, "logs.txt")
        self.assertEqual(reply.status, 503, reply)
        self.assertIn("SlowDown", reply.detail)

    def test_a_wrong_secret_is_refused_and_told_to_nobody(self):
        world = self.world(secret="not-the-right-one")
        instance = world.play()
        world.wait_for_detail(instance, "SignatureDoesNotMatch")
        self.assertNotIn("not-the-right-one", json.dumps(world.archive(instance)))
        self.assertNotIn("not-the-right-one", "\n".join(world.platform.lines()))
        self.check_whole(world, world.archive(instance))


if __name__ == "__main__":
    peers.main()

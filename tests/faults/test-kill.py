#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the platform at every point of a start, an answer, a stop and its archive: at every call to a node,
before it acts and after, and at writes to disk all the way. Then it is started again, and whoever got no answer
asks again. What was acknowledged holds, and nothing has happened twice."""

import concurrent.futures
import os
import tempfile
import unittest

import scripted
from scripted import Gone, Node, Platform, wait_for

KILL_AT = os.environ["KILL_AT_MODULE"]
WRITES_TRIED = 30
AT_ONCE = 3


class Life:
    """A team's way with one instance, through as many lives of the platform as it takes."""

    def __init__(self, platform, node):
        self.platform, self.node = platform, node
        self.told = {} # what was acknowledged
        self.cut_off = 0 # calls that got no answer

    def persevere(self, method, path, body=None, **more):
        """(status, JSON)"""
        while True:
            try:
                return self.platform.call(method, path, body, **more)
            except Gone:
                self.cut_off += 1
                self.platform.revive()

    def ask(self, method, path, body=None, **more):
        status, answer = self.persevere(method, path, body, **more)
        if status >= 300:
            raise AssertionError(f"{method} {path}: {status} {answer}\n{self.platform.log()}")
        return answer

    def instance(self):
        return self.ask("GET", "/challenges/web/instance", token=self.platform.users[0])

    def until(self, status):
        return wait_for(lambda: self.instance()["status"] == status,
                        lambda: f"{status}: {self.instance()}\n{self.platform.log()}")

    def join(self):
        secret = (self.platform.state / "join-secret").read_text().strip()
        self.ask("POST", "/nodes/register", {"join_secret": secret, "name": "n1", "url": self.node.url})

    def begin(self):
        """The row of the start, once there is a node for it: one that is just up has heard of none yet."""
        wait_for(lambda: [n["state"] for n in self.ask("GET", "/admin/nodes")["nodes"]] == ["healthy"],
                 self.platform.log)
        status, row = self.persevere("POST", "/challenges/web/instance", token=self.platform.users[0],
                                     **{"Idempotency-Key": "one", "Prefer": "wait=60"})
        if status not in (200, 201, 202, 503):
            raise AssertionError(f"a start: {status} {row}\n{self.platform.log()}")
        return row if status != 503 else None

    def start(self):
        self.told["id"] = wait_for(self.begin, self.platform.log)["id"]
        self.until("running")

    def answer(self):
        flag = self.node.specs[self.told["id"]]["answers"]["flag"]
        before = self.cut_off
        verdict = self.ask("POST", "/challenges/web/submissions", {"answer": flag}, token=self.platform.users[0])
        allowed = ["correct", "repeated"] if self.cut_off > before else ["correct"]
        if verdict["verdict"] not in allowed:
            raise AssertionError(f"{verdict}\n{self.platform.log()}")

    def stop(self):
        self.ask("DELETE", "/challenges/web/instance", token=self.platform.users[0], Prefer="wait=60")
        self.until("stopped")

    def live(self):
        self.join()
        self.start()
        self.answer()
        self.stop()
        wait_for(lambda: [a["status"] for a in self.archives()] == ["kept"],
                 lambda: f"an archive: {self.archives()}\n{self.platform.log()}")

    def archives(self):
        return self.ask("GET", "/admin/archives")["archives"]


class Killed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """A platform with a player and nothing else: every life begins with a copy of its state."""
        directory = tempfile.TemporaryDirectory(prefix="ctfy-faults-")
        cls.addClassCleanup(directory.cleanup)
        cls.first = Platform(directory.name)
        cls.first.make_player("ann")
        cls.first.close()

    def live(self, on_call=None, **environment):
        """One life: (what came of it, its platform's lives)."""
        node = Node()
        self.addCleanup(node.close)
        platform = Platform(scripted.temporary(self), like=self.first, **environment)
        self.addCleanup(platform.close)
        node.on_call = on_call and (lambda *call: on_call(platform, *call))
        life = Life(platform, node)
        life.live()
        self.check(life)
        return platform

    def check(self, life):
        node, why = life.node, life.platform.log()
        self.assertEqual(node.faults, [], why)
        self.assertEqual(node.live, {}, why)
        self.assertEqual(list(node.specs), [life.told["id"]], why)
        rows = life.ask("GET", "/admin/instances?all=true")["instances"]
        self.assertEqual([(row["id"], row["status"]) for row in rows], [(life.told["id"], "stopped")], why)
        verdicts = [s["verdict"] for s in life.ask("GET", "/admin/submissions")["submissions"]]
        self.assertEqual(verdicts.count("correct"), 1, why)
        self.assertEqual(set(verdicts) - {"correct", "repeated"}, set(), why)
        line, = life.ask("GET", "/scoreboard")["teams"]
        self.assertEqual((line["score"], line["solved"]), (100, 1), why)
        self.check_archive(life, why)

    def check_archive(self, life, why):
        archive, = life.archives()
        folder = life.platform.state / "archive" / archive["id"]
        self.assertEqual((folder / "logs.txt").read_text(), f"gate | {life.told['id']}\n", why)
        self.assertEqual({f["name"]: f["size"] for f in archive["files"]},
                         {f.name: f.stat().st_size for f in folder.iterdir()}, why)
        read = life.node.done.index(("GET", life.told["id"]))
        self.assertLess(read, life.node.done.index(("DELETE", life.told["id"])), why)

    def each(self, points, live_at):
        """Lives that end at these points, some at once."""
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for point, platform in zip(points, pool.map(live_at, points)):
                self.assertEqual(platform.lives, 2, f"nobody was killed at {point}\n{platform.log()}")

    def test_at_every_call_to_a_node(self):
        seen = []
        self.live(on_call=lambda platform, *call: seen.append(call))
        self.assertGreaterEqual(len(seen), 2 * 6, seen)

        def live_at(point):
            passed = []

            def on_call(platform, *call):
                passed.append(call)
                if len(passed) == point:
                    platform.kill()
                return len(passed) == point
            return self.live(on_call)
        self.each(range(1, len(seen) + 1), live_at)

    def test_at_writes_to_disk_all_the_way(self):
        preload = {"LD_PRELOAD": KILL_AT, "KILL_COUNT": str(scripted.temporary(self) / "count"),
                   "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        self.live(**preload)
        with open(preload.pop("KILL_COUNT"), "rb") as file:
            writes = int.from_bytes(file.read(8), "little")
        self.assertGreater(writes, 2 * WRITES_TRIED)
        points = [(i + 1) * writes * 9 // (10 * WRITES_TRIED) * (-1 if i % 2 else 1) for i in range(WRITES_TRIED)]
        self.each(points, lambda point: self.live(KILL_AT=str(point), **preload))


if __name__ == "__main__":
    unittest.main(verbosity=2)

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The machine's clock is set while node and platform run: eight days ahead, eight days back. libfaketime sets
it for these processes alone; CLOCK_BOOTTIME stays the machine's, as it does where a clock is set."""

import glob
import os
import subprocess
import tempfile
import time

from cluster import Platform, Team, harness
from harness import engine, wait_for

DAY = 24 * 3600


def find_faketime():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not found:
        raise AssertionError("libfaketime is not there: tools/deps.sh test")
    libraries = [found[0]]
    if harness.is_sanitized(): # its own library has to come first
        libraries.insert(0, subprocess.run(["gcc", "-print-file-name=libasan.so"], check=True, capture_output=True,
                                           text=True).stdout.strip())
    return " ".join(libraries)


class Clock:
    """The clock of a process that is begun with `within`."""

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="ctfy-clock-")
        self.path = os.path.join(self.dir.name, "offset")
        self.set(0)
        self.within = ["env", f"LD_PRELOAD={find_faketime()}", f"FAKETIME_TIMESTAMP_FILE={self.path}",
                       "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"]

    def set(self, seconds):
        with open(self.path + ".new", "w") as file:
            file.write(f"{seconds:+d}\n")
        os.rename(self.path + ".new", self.path)


class NodeClock(harness.NodeTest):
    def setUp(self):
        self.clock = Clock()
        self.addCleanup(self.clock.dir.cleanup)
        self.node = harness.Node(within=self.clock.within)
        self.addCleanup(self.node.close)

    def warning(self):
        return self.node.call("GET", "/health").json["warning"]

    def jump(self, days):
        self.clock.set(days * DAY)
        wait_for(lambda: f"{'ahead' if days > 0 else 'back'} by {abs(days)} days" in (self.warning() or ""), 30,
                 "what the node says of its clock")

    def wait_for_a_sweep(self):
        """What carries the node's label and belongs to nobody is gone after one."""
        name, value = self.node.label().split("=")
        made = engine.json("POST", "/volumes/create", {"Name": harness.new_id("orphan"), "Labels": {
            name: value, harness.LABEL_INSTANCE: harness.new_id("nobody")}})
        wait_for(lambda: engine.call("GET", f"/volumes/{made['Name']}")[0] == 404, 120, "a sweep")

    def age(self, name, days):
        path = os.path.join(self.node.evidence, name)
        os.makedirs(os.path.join(path, "capture"))
        os.utime(path, (time.time() - days * DAY,) * 2)
        return path

    def test_eight_days_ahead_nothing_ends_and_nothing_is_removed(self):
        ended, _ = self.node.begin("web")
        self.assertStatus(self.node.stop(ended["instance_id"]), 204)
        row, _ = self.node.begin("web", ttl=3600)
        kept = self.age("of-a-lost-store", 1)
        self.jump(8)
        self.wait_for_a_sweep()
        self.assertEqual(self.node.state_of(row["instance_id"]), "running")
        self.assertEqual(self.node.state_of(ended["instance_id"]), "stopped")
        self.assertTrue(os.path.exists(kept))
        self.node.restart() # which knows that it was a jump
        self.assertIn("8 days", self.warning())
        self.wait_for_a_sweep()
        self.assertEqual(self.node.state_of(row["instance_id"]), "running")
        self.assertEqual(self.node.state_of(ended["instance_id"]), "stopped")
        self.clock.set(0)
        wait_for(lambda: self.warning() is None, 30, "a clock that is believed again")

    def test_eight_days_back_what_is_over_ends(self):
        self.jump(-8)
        row, _ = self.node.begin("web", ttl=5)
        wait_for(lambda: self.node.state_of(row["instance_id"]) == "expired", 60, "its end")

    def test_a_clock_that_is_right_after_all_can_be_accepted(self):
        row, _ = self.node.begin("web", ttl=3600)
        self.jump(8)
        self.node.kill()
        self.node.options["accept-clock"] = None
        self.node.start()
        wait_for(lambda: self.node.state_of(row["instance_id"]) == "expired", 60, "its end")
        self.assertIsNone(self.warning())


class PlatformClock(harness.NodeTest):
    def setUp(self):
        self.clock = Clock()
        self.addCleanup(self.clock.dir.cleanup)
        self.platform = Platform(harness.CHALLENGES, within=self.clock.within)
        self.addCleanup(self.platform.close)
        self.node = harness.Node()
        self.addCleanup(self.node.close)
        self.platform.join("n1", self.node)

    def begin(self, name):
        team = Team(self.platform, name)
        row = team.start("web", 120)
        self.node.ids.add(row["id"])
        return team, row

    def jump(self, days):
        self.clock.set(days * DAY)
        wait_for(lambda: "days" in (self.platform.ask("GET", "/admin/nodes")["warning"] or ""), 30, "the warning")

    def test_eight_days_ahead_players_go_on_playing(self):
        team, row = self.begin("rockets")
        other, gone = self.begin("rovers")
        other.stop("web")
        wait_for(lambda: self.archive(gone)["status"] == "kept", 60, lambda: self.archive(gone))
        self.jump(8)
        seen = self.platform.node("n1")["seen_at"] # it looks for what is over every second
        wait_for(lambda: self.platform.node("n1")["seen_at"] > seen, 30, "another heartbeat")
        self.assertEqual(team.instance("web")["status"], "running") # by a session that has not ended either
        self.assertEqual(self.platform.node("n1")["state"], "healthy")
        self.assertEqual(self.archive(gone)["status"], "kept")

    def archive(self, row):
        return self.platform.ask("GET", f"/admin/archives?instance={row['id']}")["archives"][0]

    def test_eight_days_back_it_goes_on_too(self):
        self.jump(-8)
        team, row = self.begin("rockets")
        self.assertEqual(team.instance("web")["status"], "running")
        self.assertGreater(row["expires_at"], row["started_at"])

    def test_a_node_whose_clock_is_another_does_not_end_instances_for_the_platform(self):
        clock = Clock()
        self.addCleanup(clock.dir.cleanup)
        clock.set(-8 * DAY)
        node = harness.Node(within=clock.within)
        self.addCleanup(node.close)
        self.platform.join("n2", node)
        self.platform.ask("POST", f"/admin/nodes/{self.platform.nodes['n1']}/drain")
        team = Team(self.platform, "rockets")
        row = team.start("web", 120)
        node.ids.add(row["id"])
        listed, = self.platform.instances()
        self.assertEqual(listed["node"], "n2")
        self.assertGreater(listed["expires_at"], self.platform.node("n1")["seen_at"])


if __name__ == "__main__":
    harness.main()

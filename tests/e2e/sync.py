#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`ctfy challenge sync`: folders from wherever one writes them to the platform, and by it to every node."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import cluster
from cluster import Platform, Team, harness


class Sync(harness.NodeTest):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="ctfy-sync-")
        self.addCleanup(directory.cleanup)
        self.here, self.there = Path(directory.name, "here"), Path(directory.name, "there")
        self.there.mkdir()
        shutil.copytree(Path(harness.CHALLENGES, "web"), self.here / "brought")
        self.platform = Platform(self.there)
        self.addCleanup(self.platform.close)
        self.nodes = [harness.Node(challenges=self.there) for _ in range(2)]
        for i, node in enumerate(self.nodes):
            self.addCleanup(node.close)
            self.platform.join(f"n{i + 1}", node)

    def sync(self, path, status=0):
        run = subprocess.run([harness.CTFY, "challenge", "sync", path], capture_output=True, text=True, check=False,
                             env={**os.environ, "CTFY_URL": f"http://127.0.0.1:{self.platform.port}",
                                  "CTFY_TOKEN": self.platform.admin, "XDG_CONFIG_HOME": self.platform.dir.name})
        self.assertEqual(run.returncode, status, run)
        return run.stdout + run.stderr

    def test_what_was_brought_is_played(self):
        self.assertEqual(self.sync(self.here / "brought"), "brought: new, on the platform and 2 of 2 nodes\n")
        team = Team(self.platform, "rockets")
        row = team.start("brought", 120)
        for node in self.nodes:
            node.ids.add(row["id"])
        self.assertIn("flag{", cluster.page(row))
        (self.here / "brought/said.txt").write_text("more")
        self.assertIn("replaced, on the platform and 2 of 2", self.sync(self.here))
        for folder in (self.there, *(Path(node.challenges) for node in self.nodes)):
            self.assertEqual((folder / "brought/said.txt").read_text(), "more")
            self.assertEqual([path.name for path in folder.iterdir()], ["brought"])
        self.assertEqual(team.instance("brought", check=True)["status"], "running")
        team.stop("brought")

    def test_what_fails_is_told_and_changes_nothing(self):
        self.sync(self.here)
        (self.here / "brought/compose.yml").write_text("services: [\n")
        self.assertIn("is faulty: it stays as it was", self.sync(self.here, 1))
        self.assertIn("services:\n", (self.there / "brought/compose.yml").read_text())
        shutil.copy(Path(harness.CHALLENGES, "web/compose.yml"), self.here / "brought")
        self.nodes[1].kill()
        self.assertRegex(self.sync(self.here, 1), r"on the platform and 1 of 2 nodes\n  n2: node .*refused")
        self.nodes[1].start()
        self.platform.wait_for_state("n2", "healthy")
        self.assertIn("2 of 2 nodes", self.sync(self.here))


if __name__ == "__main__":
    harness.main()

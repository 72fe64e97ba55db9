#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A node is lost: killed, cut off, back again. What ran on it goes on elsewhere, and never twice."""

import signal
import unittest

import cluster
from cluster import Platform, Team, harness
from harness import engine, wait_for


class NodeLoss(harness.NodeTest):
    def setUp(self):
        self.platform = Platform(harness.CHALLENGES)
        self.addCleanup(self.platform.close)
        self.nodes = {name: harness.Node() for name in ("n1", "n2")}
        for name, node in self.nodes.items():
            self.platform.join(name, node)
            self.addCleanup(node.close)

    def begin(self):
        """A team's running instance: (team, row, the page it serves, its node's name, the other's)."""
        team = Team(self.platform, "rockets")
        row = team.start("web", 120)
        for node in self.nodes.values():
            node.ids |= {row["id"], row["id"] + "-1"}
        there = next(i["node"] for i in self.platform.instances())
        return team, row, cluster.page(row), there, "n1" if there == "n2" else "n2"

    def moved(self, team, to):
        """Its row, when it runs on the other node."""
        def look():
            rows = self.platform.instances()
            return rows and rows[0]["node"] == to and rows[0]["status"] == "running" and rows[0]
        return wait_for(look, 120, lambda: f"on {to}: {self.platform.instances()}\n{self.platform.tail()}")

    def copies(self, instance_id):
        """How many run, whatever their nodes call them."""
        everybody = engine.objects(harness.LABEL_INSTANCE)["container"].values()
        return sum(labels[harness.LABEL_INSTANCE].startswith(instance_id) for labels in everybody)

    def state_on(self, name, row):
        """Of the copy that a node was given when the instance left another."""
        return self.nodes[name].state_of(row["id"] + "-1")

    def test_what_a_cut_off_node_ran_goes_on_elsewhere_and_its_copy_ends_when_it_is_back(self):
        team, row, page, there, other = self.begin()
        cluster.kill_process(self.nodes[there], signal.SIGSTOP)
        try:
            after = self.moved(team, other)
            self.assertEqual(self.copies(row["id"]), 2) # nobody can reach the one that was cut off
        finally:
            cluster.kill_process(self.nodes[there], signal.SIGCONT)
        self.assertEqual(after["id"], row["id"])
        self.assertNotEqual(after["endpoints"], row["endpoints"])
        self.assertEqual(cluster.page(after), page) # the same answer
        wait_for(lambda: self.copies(row["id"]) == 1, 120, self.platform.tail)
        self.assertEqual(self.state_on(other, row), "running")
        self.platform.wait_for_state(there, "healthy")
        self.assertIn(self.nodes[there].state_of(row["id"]), ("stopped", "404"))
        self.assertEqual(cluster.page(team.instance("web")), page)
        team.stop("web")
        self.assertEqual(self.copies(row["id"]), 0)

    def test_a_killed_node_keeps_its_instance_where_there_is_no_other(self):
        self.platform.ask("POST", f"/admin/nodes/{self.platform.nodes['n2']}/drain")
        team, row, page, there, _ = self.begin()
        self.assertEqual(there, "n1")
        self.nodes["n1"].kill()
        self.platform.wait_for_state("n1", "lost")
        self.assertEqual(team.instance("web")["status"], "running")
        self.nodes["n1"].start()
        self.platform.wait_for_state("n1", "healthy")
        self.assertEqual(cluster.page(team.instance("web")), page)
        self.assertEqual(self.copies(row["id"]), 1)

        # And there and back again, with the platform killed in the middle.
        self.platform.ask("POST", f"/admin/nodes/{self.platform.nodes['n2']}/undrain")
        self.nodes["n1"].kill()
        wait_for(lambda: self.platform.instances()[0]["node"] == "n2", 120, self.platform.tail)
        self.platform.kill()
        self.platform.start()
        after = self.moved(team, "n2")
        self.assertEqual(cluster.page(after), page)
        self.nodes["n1"].start()
        wait_for(lambda: self.copies(row["id"]) == 1, 120, self.platform.tail)
        self.assertEqual(self.state_on("n2", row), "running")


if __name__ == "__main__":
    harness.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Three machines, each with an engine of its own, under one platform: one crashes, is cut off, is
slow, and is back. What ran there goes on elsewhere with the same answers, and never twice."""

import unittest

import machines

import cluster
from cluster import Platform, Team, harness
from harness import wait_for

platform = None
everyone = {}


def setUpModule():
    global platform
    machines.begin_network()
    platform = Platform(harness.CHALLENGES, **{"call-timeout": "20s"})
    unittest.addModuleCleanup(platform.close)
    for number, name in enumerate(("n1", "n2", "n3")):
        everyone[name] = machines.Machine(name, number, harness.CHALLENGES)
        unittest.addModuleCleanup(everyone[name].close)
        platform.join(name, everyone[name].node)


def where(row):
    return next(i["node"] for i in platform.instances() if i["id"] == row["id"])


def copies(row):
    return {name: count for name, machine in everyone.items() if (count := machine.copies(row["id"]))}


class ThreeMachines(harness.NodeTest):
    def setUp(self):
        """A team's instance on each of them."""
        self.teams, self.rows, self.pages = {}, {}, {}
        for number in range(3):
            team = Team(platform, f"{self.id().rsplit('.', 1)[1][5:30]}-{number}")
            self.addCleanup(team.stop, "web")
            row = team.start("web", 120)
            name = where(row)
            self.teams[name], self.rows[name], self.pages[name] = team, row, cluster.page(row)
        self.assertEqual(sorted(self.rows), ["n1", "n2", "n3"]) # the least loaded got each

    def moved(self, name):
        """The row of what ran there, when it runs on another."""
        def look():
            row = self.teams[name].instance("web")
            return row["status"] == "running" and where(row) != name and row
        return wait_for(look, 120, lambda: f"elsewhere: {platform.instances()}\n{platform.tail()}")

    def assertOthersGoOn(self, name):
        for other in self.rows.keys() - {name}:
            row = self.teams[other].instance("web")
            self.assertEqual((row["status"], where(row), row["endpoints"]),
                             ("running", other, self.rows[other]["endpoints"]))
            self.assertEqual(cluster.page(row), self.pages[other])
            self.assertEqual(copies(row), {other: 1})

    def assertMoved(self, name):
        row = self.moved(name)
        self.assertEqual(row["id"], self.rows[name]["id"])
        self.assertEqual(cluster.page(row), self.pages[name]) # the same answer
        self.assertOthersGoOn(name)
        return row

    def assertNoneTwice(self, name, row):
        platform.wait_for_state(name, "healthy")
        wait_for(lambda: copies(row) == {where(row): 1}, 60, lambda: f"one copy: {copies(row)}\n{platform.tail()}")
        self.assertEqual(cluster.page(self.teams[name].instance("web")), self.pages[name])
        self.assertOthersGoOn(name)

    def test_one_crashes_and_boots_again(self):
        everyone["n1"].crash()
        row = self.assertMoved("n1")
        everyone["n1"].boot()
        self.assertNoneTwice("n1", row)

    def test_one_is_cut_off_and_back(self):
        everyone["n2"].cut_off()
        row = self.assertMoved("n2")
        self.assertEqual(copies(row), {"n2": 1, where(row): 1}) # nobody can reach the first
        everyone["n2"].reconnect()
        self.assertNoneTwice("n2", row)

    def test_a_slow_one_keeps_what_it_has_and_takes_more(self):
        for name in ("n1", "n2"):
            node = f"/admin/nodes/{platform.nodes[name]}"
            platform.ask("POST", node + "/drain")
            self.addCleanup(platform.ask, "POST", node + "/undrain")
        team = Team(platform, "patient")
        self.addCleanup(team.stop, "web")
        with everyone["n3"].slowed_down():
            row = team.start("web", 120)
            self.assertEqual(where(row), "n3")
            self.assertTrue(cluster.page(row))
            self.assertEqual(copies(row), {"n3": 1})
            self.assertEqual(where(self.rows["n3"]), "n3")
            self.assertOthersGoOn("n3")


if __name__ == "__main__":
    harness.main()

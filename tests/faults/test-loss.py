#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Nodes are lost: killed, cut off, slow, back again, and the platform killed meanwhile. What ran on one goes on on
another with the same answers, what a node had before ends when it is back, and no instance has two copies that go
on. Nodes are scripted; tests/e2e/node-loss.py does some of it with real ones."""

import tempfile
import unittest

import scripted
from scripted import Node, Platform, wait_for

PLAYERS = ["ann", "ben", "cat", "dan"]


class Loss(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="ctfy-faults-")
        cls.addClassCleanup(directory.cleanup)
        cls.first = Platform(directory.name)
        for name in PLAYERS:
            cls.first.make_player(name)
        cls.first.close()

    def begin(self, count, heartbeat_timeout="700ms"):
        self.platform = Platform(scripted.temporary(self), like=self.first, heartbeat_timeout=heartbeat_timeout)
        self.addCleanup(self.platform.close)
        self.nodes, self.ids = {}, {}
        for name in [f"n{i + 1}" for i in range(count)]:
            self.nodes[name] = Node()
            self.addCleanup(self.nodes[name].close)
            self.ids[name] = self.platform.join(name, self.nodes[name])
        self.all_well()

    def all_well(self):
        self.platform.wait_for_nodes(**{name: "healthy" for name in self.nodes})

    def take_on(self, player):
        """A player's instance, as soon as there is a node for it."""
        def look():
            status, row = self.platform.call("POST", "/challenges/web/instance", token=self.platform.users[player])
            return status < 300 and row
        return wait_for(look, self.platform.log)

    def start(self, player):
        self.take_on(player)
        return self.until(player, "running")

    def instance(self, player):
        return self.platform.ask("GET", "/challenges/web/instance", token=self.platform.users[player])

    def stop(self, player):
        self.platform.ask("DELETE", "/challenges/web/instance", token=self.platform.users[player])
        self.until(player, "stopped")

    def until(self, player, status):
        return wait_for(lambda: self.instance(player)["status"] == status and self.instance(player),
                        lambda: f"{status}: {self.instance(player)}\n{self.platform.log()}")

    def node_of(self, id_):
        return next(row["node"] for row in self.platform.instances() if row["id"] == id_)

    def runs_off(self, player, lost):
        """Until the player's instance runs on a node other than the lost one: that node."""
        def look():
            row = self.instance(player)
            where = self.node_of(row["id"])
            return row["status"] == "running" and where != lost and where
        return wait_for(look, lambda: f"off {lost}: {self.platform.instances()}\n{self.platform.log()}")

    def one_copy_each(self, rows):
        """Until every instance has its one copy, on the node that the platform has it on."""
        def look():
            return all([(name, len(node.copies(row["id"]))) for name, node in self.nodes.items()
                        if node.copies(row["id"])] == [(self.node_of(row["id"]), 1)] for row in rows)
        wait_for(look, lambda: f"{[(n, list(node.live)) for n, node in self.nodes.items()]}\n{self.platform.log()}")

    def check(self, rows):
        """All is well; what was started was the same each time, and no two nodes were given one copy."""
        self.all_well()
        self.one_copy_each(rows)
        for row in rows:
            specs = sorted([spec for node in self.nodes.values() for id_, spec in node.specs.items()
                            if id_ == row["id"] or id_.startswith(row["id"] + "-")],
                           key=lambda spec: spec["instance_id"])
            self.assertEqual(len({spec["instance_id"] for spec in specs}), len(specs), self.platform.log())
            for before, after in zip(specs, specs[1:]):
                self.assertEqual(after["answers"], before["answers"])
                self.assertLessEqual(after["ttl"], before["ttl"])
        for player in range(len(rows)):
            self.stop(player)
        self.check_ended()

    def check_ended(self):
        """Nothing is left anywhere, and everything is kept."""
        wait_for(lambda: not any(node.live for node in self.nodes.values()), self.platform.log)
        wait_for(lambda: {a["status"] for a in self.platform.archives()} == {"kept"},
                 lambda: f"{self.platform.archives()}\n{self.platform.log()}")
        self.assertEqual([node.faults for node in self.nodes.values()], [[]] * len(self.nodes))

    def lose(self, cut):
        """Of three nodes one is lost; it comes back with what it had."""
        self.begin(3)
        rows = [self.start(player) for player in range(len(PLAYERS))]
        there = self.node_of(rows[0]["id"])
        node = self.nodes[there]
        if cut:
            node.set("cut")
        else:
            node.leave()
        self.runs_off(0, there)
        if cut:
            node.set("open")
        else:
            node.come()
        self.check(rows)

    def test_one_that_is_killed_and_comes_back_with_what_it_had(self):
        self.lose(cut=False)

    def test_one_that_lives_but_whose_answers_do_not_arrive(self):
        self.lose(cut=True)

    def watch_starts(self, on_start):
        """on_start(when, node), of the first node that is asked for a start: True loses the answer. Its name, in a
        list, once that is known."""
        first = []

        def watch(name, node):
            def on_call(when, method, path):
                if method != "POST" or first not in ([], [name]):
                    return False
                first[:] = [name]
                return on_start(when, node)
            node.on_call = on_call
        for name, node in self.nodes.items():
            watch(name, node)
        return first

    def begin_on_the_first(self, first):
        """A player's instance that the first node began, as far as anybody knows: its row."""
        row = self.take_on(0)
        wait_for(lambda: first and row["id"] in self.nodes[first[0]].specs, self.platform.log)
        self.runs_off(0, first[0])
        return row

    def test_a_start_whose_answer_does_not_arrive_is_made_elsewhere(self):
        self.begin(2)
        first = self.watch_starts(lambda when, node: node.set("cut"))
        row = self.begin_on_the_first(first)
        self.watch_starts(lambda when, node: False)
        self.nodes[first[0]].set("open")
        self.check([row])

    def test_a_start_that_was_heard_and_then_denied_leaves_nothing(self):
        self.begin(2)

        def lose_the_first_answer(when, node):
            lost = when == "after" and not node.denies
            node.denies = node.denies or lost
            return lost
        self.check([self.begin_on_the_first(self.watch_starts(lose_the_first_answer))])

    def test_a_stop_on_one_that_is_cut_off_is_made_up_for(self):
        self.begin(2)
        row = self.start(0)
        node = self.nodes[self.node_of(row["id"])]
        node.set("cut")
        self.stop(0)
        node.set("open")
        self.check_ended()

    def test_a_slow_one_keeps_what_it_has_and_delays_no_other(self):
        self.begin(2, heartbeat_timeout="60s")
        rows = [self.start(0), self.start(1)]
        slow = self.nodes[self.node_of(rows[0]["id"])]
        other = next(node for node in self.nodes.values() if node is not slow)
        slow.set("slow", 50)
        beats = other.beats
        wait_for(lambda: other.beats >= beats + 5, self.platform.log)
        self.assertEqual(self.instance(0)["status"], "running")
        slow.set("open")
        self.check(rows)

    def test_one_after_the_other_and_the_platform_killed_meanwhile(self):
        self.begin(2)
        row = self.start(0)
        for cut, kill in [(False, False), (True, True), (False, True)]:
            there = self.node_of(row["id"])
            node = self.nodes[there]
            if cut:
                node.set("cut")
            else:
                node.leave()
            if kill: # it has to find out again what it had begun
                self.platform.wait_for_nodes(**{name: "lost" if name == there else "healthy" for name in self.nodes})
                self.platform.kill()
                self.platform.revive()
            self.runs_off(0, there)
            if cut:
                node.set("open")
            else:
                node.come()
            self.all_well()
            self.one_copy_each([row])
        self.check([row])


if __name__ == "__main__":
    unittest.main(verbosity=2)

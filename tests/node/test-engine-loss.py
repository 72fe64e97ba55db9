#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The engine is restarted or killed, with the node or without it: instances that were acknowledged
are there afterwards, with their answers, and end without a trace.
"""

import datetime
import os
import time

import own_engine

own_engine.enter_namespace()

import harness
from harness import Node, NodeTest, background, engine, fetch_soon, wait_for


class EngineLossTest(NodeTest):
    live_restore = False

    @classmethod
    def setUpClass(cls):
        cls.own = own_engine.OwnEngine(live_restore=cls.live_restore)

    @classmethod
    def tearDownClass(cls):
        cls.own.close()

    def setUp(self):
        self.node = Node(engine_url="unix://" + self.own.socket, ready_networks=2)
        self.addCleanup(self.node.close)

    def begin_web(self):
        row, spec = self.node.begin("web")
        self.assertAnswers(row, spec)
        return row, spec

    def assertAnswers(self, row, spec):
        """The page with this instance's own flag, through the published port."""
        endpoint = row["endpoints"][0]
        self.assertEqual(fetch_soon("127.0.0.1", endpoint["port"], seconds=60), spec["answers"]["flag"])

    def wait_running(self, row, services=1):
        instance_id = row["instance_id"]
        def runs():
            containers = self.node.containers(instance_id)
            return self.node.state_of(instance_id) == "running" and len(containers) == services and \
                all(c["State"]["Running"] for c in containers.values())
        wait_for(runs, 90, lambda: f"running again: {self.node.status(instance_id)} {self.node.log()}")

    def assertEndsCleanly(self, *rows):
        label = self.node.label()
        for row in rows:
            self.assertStatus(self.node.stop(row["instance_id"], timeout=120), 204)
        self.assertNothingLeft(label, seconds=30)

    def containers_of(self, row):
        return {c["Id"] for c in self.node.containers(row["instance_id"]).values()}


class WithoutLiveRestore(EngineLossTest):

    def test_a_restart_of_the_engine_ends_no_instance(self):
        row, spec = self.begin_web()
        self.own.restart()
        self.wait_running(row)
        self.assertAnswers(row, spec)
        self.assertEndsCleanly(row)

    def test_a_killed_engine_ends_no_instance(self):
        row, spec = self.begin_web()
        self.own.restart(killed=True)
        self.wait_running(row)
        self.assertAnswers(row, spec)
        self.assertEndsCleanly(row)

    def test_a_reboot_ends_no_instance(self):
        """Node and engine die at once, and no container is left running."""
        row, spec = self.begin_web()
        self.node.kill()
        for container in self.containers_of(row):
            os.kill(engine.inspect(container)["State"]["Pid"], 9)
        self.own.restart(killed=True)
        self.node.start()
        self.wait_running(row)
        self.assertAnswers(row, spec)
        self.assertEndsCleanly(row)

    def test_a_reboot_leaves_a_helper_that_had_done_its_work(self):
        row, _ = self.node.begin("seeded")
        look = lambda: {s: (c["State"]["Running"], c["State"]["StartedAt"])
                        for s, c in self.node.containers(row["instance_id"]).items()}
        before = wait_for(lambda: not look()["seed"][0] and not look()["retried"][0] and look(), 30, "their work")
        # What ends within the 30 s that an engine may take to end is taken for ended by it.
        ended = time.monotonic()
        wait_for(lambda: time.monotonic() > ended + 31, 60, "time to pass")
        self.node.kill()
        for container in self.containers_of(row):
            pid = engine.inspect(container)["State"]["Pid"]
            if pid:
                os.kill(pid, 9)
        self.own.restart(killed=True)
        self.node.start()
        wait_for(lambda: look()["db"][0] and look()["web"][0], 90, lambda: f"running again: {look()}")
        wait_for(lambda: self.node.health(row["instance_id"])["is_healthy"], 60,
                 lambda: f"healthy: {self.node.health(row['instance_id'])}")
        self.assertEqual(look()["seed"], before["seed"])
        self.assertEqual(look()["retried"], before["retried"])
        self.assertEndsCleanly(row)

    def test_an_engine_that_hangs_is_told_and_ends_no_instance(self):
        row, spec = self.begin_web()
        before = self.containers_of(row)
        def status():
            return self.node.call("GET", "/health").json["status"]
        self.own.freeze()
        try:
            wait_for(lambda: status() != "ok", 60, lambda: f"the engine is missed: {self.node.log()}")
            self.assertAnswers(row, spec)
        finally:
            self.own.thaw()
        wait_for(lambda: status() == "ok", 60, lambda: f"the engine is there again: {self.node.log()}")
        self.wait_running(row)
        self.assertAnswers(row, spec)
        self.assertEqual(self.containers_of(row), before)
        self.assertEndsCleanly(row)

    def test_its_time_is_over_while_the_engine_is_away(self):
        row, _ = self.node.begin("web", ttl=5)
        label = self.node.label()
        self.own.kill()
        end = datetime.datetime.fromisoformat(row["expires_at"].replace("Z", "+00:00")).timestamp()
        wait_for(lambda: time.time() > end + 1, 30, "its end")
        self.own.start()
        wait_for(lambda: self.node.state_of(row["instance_id"]) in ["expired", "404"], 60,
                 lambda: f"expired: {self.node.status(row['instance_id'])}")
        self.assertNothingLeft(label, seconds=60)

    def test_killed_in_the_middle_of_a_start(self):
        spec = self.node.spec("pair")
        start = background(self.node.post, spec)
        wait_for(lambda: self.node.made(spec["instance_id"])["container"], 30, "a container of it")
        self.own.restart(killed=True)
        reply = start.result(120)
        if reply.status == 201: # finished before, or taken up after
            self.wait_running(reply.json, services=2)
            self.assertEndsCleanly(reply.json)
        else:
            self.assertError(reply, 502, 503, 504)
            self.assertGone(self.node, spec["instance_id"], seconds=60)

    def test_killed_in_the_middle_of_a_stop(self):
        row, _ = self.begin_web()
        label = self.node.label()
        stop = background(self.node.stop, row["instance_id"], 120)
        self.own.restart(killed=True)
        stop.result(120)
        wait_for(lambda: self.node.state_of(row["instance_id"]) in ["stopped", "404"], 90,
                 lambda: f"stopped: {self.node.status(row['instance_id'])}")
        self.assertNothingLeft(label, seconds=60)


class WithLiveRestore(EngineLossTest):
    live_restore = True

    def test_instances_do_not_notice_a_restart(self):
        row, spec = self.begin_web()
        before = self.containers_of(row)
        for killed in (False, True):
            with self.subTest(killed=killed):
                self.own.restart(killed)
                self.wait_running(row)
                self.assertAnswers(row, spec)
                self.assertEqual(self.containers_of(row), before)
        self.assertEndsCleanly(row)


if __name__ == "__main__":
    harness.main()

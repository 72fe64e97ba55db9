#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the node, at any moment: what was acknowledged is there, what was not is gone or told,
and in the end nothing is left.

The seed is printed; the environment's CTFY_SEED repeats it, CTFY_KILLS asks for more than the few
rounds that a quick run has.
"""

import os
import random
import shutil
import sys
import tempfile
import threading
import time

import harness
from harness import (EngineProxy, Node, NodeTest, background, engine, fetch_soon, instant, new_id, parallel,
                     wait_for)

ROUNDS = int(os.environ.get("CTFY_KILLS", 6))
SEED = int(os.environ.get("CTFY_SEED", random.randrange(10 ** 6)))
SETTLED = ["running", "stopped", "expired", "failed", "404"]


class KillTest(NodeTest):
    ready = 0 # networks kept ready

    def setUp(self):
        self.proxy = EngineProxy(tempfile.mkdtemp(prefix="ctfy-node-test-"))
        self.addCleanup(shutil.rmtree, os.path.dirname(self.proxy.path), True)
        self.node = Node(engine_url=self.proxy.url, ready_networks=self.ready)
        self.addCleanup(self.node.close)

    def settle(self, instance_id, seconds=40):
        """The state in which it ends up; the engine agrees with it."""
        wait_for(lambda: self.node.state_of(instance_id) in SETTLED, seconds,
                 lambda: f"'{instance_id}' settled: {self.node.status(instance_id)}")
        return self.node.state_of(instance_id)

    def assertConsistent(self, instance_id, services):
        state = self.settle(instance_id)
        if state == "running":
            self.assertRunning(self.node, instance_id, services)
        else:
            self.assertGone(self.node, instance_id, seconds=15)
        return state

    def kill_at(self, generator):
        """An event that comes at a random moment: some time from now, or on a call of the engine."""
        moment = threading.Event()
        if generator.random() < 0.5:
            threading.Timer(generator.uniform(0, 1.5), moment.set).start()
            return moment
        goal = len(self.proxy.calls) + generator.randint(1, 30)
        self.proxy.on_call = lambda call, count: moment.set() if count >= goal else None
        return moment

    def attempt(self, function, *args):
        """The reply, or None where the node died before it."""
        def run():
            try:
                return function(*args)
            except (OSError, harness.http.client.HTTPException):
                return None
        return background(run)


class AtRandom(KillTest):
    ready = 3

    def test_at_any_moment_of_starts_and_stops(self):
        generator = random.Random(SEED)
        print(f"seed {SEED} ... ", end="", file=sys.stderr, flush=True)
        anchor, anchor_spec = self.node.begin("web")
        label = self.node.label()
        victim, _ = self.node.begin("plain")
        victim = victim["instance_id"]
        outcomes = []
        for round_ in range(ROUNDS):
            with self.subTest(seed=SEED, round=round_):
                sync, later = self.node.spec("pair"), self.node.spec("plain")
                moment = self.kill_at(generator)
                jobs = [self.attempt(self.node.post, sync), self.attempt(self.node.post, later, True),
                        self.attempt(self.node.stop, victim)]
                moment.wait(3)
                self.node.kill()
                self.proxy.on_call = None
                started, accepted, stopped = [job.result(60) for job in jobs]
                self.node.start()
                outcomes.append("".join("-" if r is None else "+" for r in (started, accepted, stopped)))

                self.assertRunning(self.node, anchor["instance_id"])
                self.assertEqual(self.node.status(anchor["instance_id"]).json["endpoints"], anchor["endpoints"])
                if started:
                    self.assertStatus(started, 201)
                    self.assertEqual(self.assertConsistent(sync["instance_id"], 2), "running",
                                     self.node.status(sync["instance_id"]))
                else:
                    self.assertConsistent(sync["instance_id"], 2)
                if accepted:
                    self.assertStatus(accepted, 202)
                    self.assertEqual(self.assertConsistent(later["instance_id"], 1), "running",
                                     self.node.status(later["instance_id"]))
                else:
                    self.assertConsistent(later["instance_id"], 1)
                if stopped:
                    self.assertStatus(stopped, 204)
                    self.assertEqual(self.node.state_of(victim), "stopped")
                self.assertConsistent(victim, 1)
                self.assertStatus(self.node.stop(victim), 204)
                self.assertGone(self.node, victim)
                if self.node.state_of(sync["instance_id"]) == "running":
                    self.assertStatus(self.node.stop(sync["instance_id"]), 204)
                victim = later["instance_id"]
                if self.node.state_of(victim) != "running":
                    victim = self.node.begin("plain")[0]["instance_id"]
        print(" ".join(outcomes), "... ", end="", file=sys.stderr)
        self.assertEqual(fetch_soon("127.0.0.1", anchor["endpoints"][0]["port"]), anchor_spec["answers"]["flag"])
        self.assertStatus(self.node.call("POST", "/admin/stop-all", timeout=90), 200)
        self.assertNothingLeft(label, seconds=15)
        self.assertEqual(self.node.running(), 0)
        self.assertFalse([d for d in self.node.directories() if harness.PREFIX in d])


class AtWill(KillTest):
    def test_at_every_step_of_a_start(self):
        """Killed while one call after the other is on its way to the engine, which still carries it
        out after the node is gone."""
        for pattern in [r"/networks/create", r"/containers/create", r"/containers/\w+/start"]:
            with self.subTest(at=pattern):
                spec, later = self.node.spec("disks"), self.node.spec("plain")
                self.proxy.hold(r"POST \S*" + pattern)
                start = self.attempt(self.node.post, spec)
                self.proxy.wait_held()
                accepted = self.node.post(later, respond_async=True)
                self.node.kill()
                self.proxy.release()
                self.assertIsNone(start.result(60))
                self.node.start()
                self.assertConsistent(spec["instance_id"], 2)
                self.assertStatus(accepted, 202)
                self.assertEqual(self.assertConsistent(later["instance_id"], 1), "running",
                                 self.node.status(later["instance_id"]))

    def hold_create(self):
        """Holds the next create; what lets it go on."""
        self.proxy.hold(r"POST \S*/containers/create")
        return self.proxy.gate[1]

    def late_container(self, instance_id):
        made = wait_for(lambda: self.node.made(instance_id)["container"], 20, "the late container")
        self.assertEqual(len(made), 1)
        return next(iter(made))

    def test_a_container_that_comes_late_makes_way_for_the_start_that_begins_anew(self):
        spec = self.node.spec("plain")
        old = self.hold_create()
        self.assertStatus(self.node.post(spec, respond_async=True), 202)
        self.proxy.wait_held()
        self.node.kill()
        self.hold_create()
        self.node.start()
        self.proxy.wait_held() # the new life has looked, found nothing, and makes its own
        old.set()
        late = self.late_container(spec["instance_id"])
        self.proxy.release()
        self.assertEqual(self.settle(spec["instance_id"]), "running", self.node.status(spec["instance_id"]))
        self.assertRunning(self.node, spec["instance_id"])
        self.assertNotIn(late, self.node.made(spec["instance_id"])["container"])

    def test_a_container_that_comes_late_of_an_instance_that_has_ended_is_removed(self):
        spec = self.node.spec("plain")
        old = self.hold_create()
        start = self.attempt(self.node.post, spec)
        self.proxy.wait_held()
        self.node.kill()
        self.proxy.gate = None
        self.assertIsNone(start.result(60))
        self.node.start()
        self.assertEqual(self.settle(spec["instance_id"]), "failed")
        self.assertGone(self.node, spec["instance_id"])
        old.set()
        self.late_container(spec["instance_id"])
        self.assertGone(self.node, spec["instance_id"], seconds=90) # it looks once a minute

    def test_in_the_middle_of_stop_all(self):
        parallel([lambda: self.node.begin("plain") for _ in range(4)])
        ids = sorted(self.node.ids)
        label = self.node.label()
        self.proxy.hold(r"DELETE \S*/networks/")
        stop = self.attempt(self.node.call, "POST", "/admin/stop-all")
        self.proxy.wait_held()
        self.node.kill()
        self.proxy.release()
        self.assertIsNone(stop.result(60))
        self.node.start()
        for instance_id in ids:
            self.assertConsistent(instance_id, 1)
        self.assertStatus(self.node.call("POST", "/admin/stop-all", timeout=60), 200)
        self.assertNothingLeft(label, seconds=15)
        self.assertEqual({self.node.state_of(i) for i in ids}, {"stopped"})

    def test_time_goes_on_while_it_is_dead(self):
        longer, _ = self.node.begin("plain", ttl=300)
        row, _ = self.node.begin("plain", ttl=4)
        self.node.kill()
        wait_for(lambda: time.time() > instant(row["expires_at"]), 30, "the end of its time")
        self.assertEqual(len(self.node.made(row["instance_id"])["container"]), 1)
        self.node.start()
        wait_for(lambda: self.node.state_of(row["instance_id"]) == "expired", 10, "expired")
        self.assertGone(self.node, row["instance_id"], seconds=5)
        self.assertRunning(self.node, longer["instance_id"])
        self.assertEqual(self.node.status(longer["instance_id"]).json["expires_at"], longer["expires_at"])

    def test_a_prolonged_end_survives(self):
        row, _ = self.node.begin("plain", ttl=2)
        self.assertIn(self.node.call("PATCH", f"/instances/{row['instance_id']}", {"ttl": 400}).status, [200, 204])
        until = self.node.status(row["instance_id"]).json["expires_at"]
        self.node.restart()
        self.node.wait_for_end_of_another(row) # and so past its first end
        self.assertRunning(self.node, row["instance_id"])
        self.assertEqual(self.node.status(row["instance_id"]).json["expires_at"], until)

    def test_what_it_knew_it_still_knows(self):
        row, spec = self.node.begin("web")
        stopped, _ = self.node.begin("plain")
        self.assertStatus(self.node.stop(stopped["instance_id"]), 204)
        self.node.restart()
        again = self.assertStatus(self.node.post(spec), 200)
        self.assertEqual(again.json["endpoints"], row["endpoints"])
        self.assertEqual(again.json["started_at"], row["started_at"])
        self.assertError(self.node.post({**spec, "ttl": 5}), 409)
        self.assertEqual(self.node.state_of(stopped["instance_id"]), "stopped")
        self.assertStatus(self.node.stop(stopped["instance_id"]), 204)
        fresh, _ = self.node.begin("web") # on another port, in another subnet
        self.assertNotEqual(fresh["endpoints"][0]["port"], row["endpoints"][0]["port"])
        wait_for(lambda: self.node.health(row["instance_id"])["is_healthy"], 5, "healthy")

    def test_sigterm_ends_it_cleanly_and_leaves_instances_running(self):
        row, _ = self.node.begin("web")
        began = time.monotonic()
        self.assertEqual(self.node.terminate(), 0)
        self.assertLess(time.monotonic() - began, 10)
        self.node.start()
        self.assertRunning(self.node, row["instance_id"])

    def test_what_vanished_meanwhile_is_told(self):
        row, _ = self.node.begin("pair")
        kept, _ = self.node.begin("plain")
        self.node.kill()
        engine.remove(self.node.made(row["instance_id"]))
        self.node.start()
        wait_for(lambda: self.node.state_of(row["instance_id"]) != "starting", 20, "an opinion")
        if self.node.state_of(row["instance_id"]) == "running":
            self.assertIs(self.node.health(row["instance_id"])["is_healthy"], False)
        self.assertStatus(self.node.stop(row["instance_id"]), 204)
        self.assertGone(self.node, row["instance_id"])
        self.assertRunning(self.node, kept["instance_id"])

    def test_orphans_are_swept_and_strangers_are_not(self):
        row, _ = self.node.begin("disks")
        made = self.node.made(row["instance_id"])
        ours = {**next(iter(made["container"].values())), harness.LABEL_INSTANCE: new_id("orphan")}
        theirs = {**ours, harness.LABEL_NODE: "another-node-" + harness.PREFIX}
        self.node.kill()
        strangers = []
        for labels in [ours, theirs]:
            container = engine.json("POST", "/containers/create",
                                    {"Image": "ctfy/busybox", "Cmd": ["sleep", "600"], "Labels": labels})["Id"]
            volume = engine.json("POST", "/volumes/create", {"Name": new_id("v"), "Labels": labels})["Name"]
            network = engine.json("POST", "/networks/create", {"Name": new_id("n"), "Labels": labels})["Id"]
            strangers += [("containers", container), ("volumes", volume), ("networks", network)]
        self.addCleanup(lambda: [engine.call("DELETE", f"/{kind}/{name}?force=1") for kind, name in strangers])
        self.node.start()
        there = lambda things: [t for t in things if engine.call(
            "GET", f"/{t[0]}/{t[1]}" + ("/json" if t[0] == "containers" else ""))[0] == 200]
        wait_for(lambda: not there(strangers[:3]), 20, lambda: f"orphans gone: {there(strangers[:3])}")
        self.assertEqual(there(strangers[3:]), strangers[3:])
        self.assertRunning(self.node, row["instance_id"], services=2)


if __name__ == "__main__":
    harness.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The list that build-all and pull-all go through one at a time, and what becomes of it when the
node dies."""

import time

import images
from harness import engine, parallel, wait_for
from images import BUILD, PULL, Challenges, ImageTest, empty_node, tags

QUICK = "FROM ctfy/busybox\nRUN echo NAME\n"
SLOW = "FROM ctfy/busybox\nRUN echo begin NAME\nRUN sleep 1\nRUN echo end\n"


class ListTest(ImageTest):
    def setUp(self):
        self.node = empty_node()
        self.addCleanup(self.node.close)
        self.challenges = Challenges(self.node)

    def slow(self, count, dockerfile=SLOW):
        made = [self.challenges.built(f"slow{i}", dockerfile) for i in range(count)]
        self.challenges.rescan()
        return made

    def all(self, kind, *ids):
        reply = self.assertStatus(kind.ask_all(self.node, *ids), 200)
        self.assertEqual(set(reply.json), {"queued", kind.skipped, "skipped_in_progress"})
        return reply.json

    def log_order(self, what):
        """Challenges in the order in which their builds began, or ended."""
        marks = (line.split("build of '")[1].split("'")[0] for line in self.node.log(2000).splitlines()
                 if "build of '" in line and what in line)
        return list(marks)

    def span(self, challenge):
        """When the engine made the build's first layer, and its last."""
        image_id, = tags(f"ctfy-challenge/{challenge}/app").values()
        layers = engine.json("GET", f"/images/{image_id}/history")
        ours = [layer["Id"] for layer in layers
                if layer["Id"] != "<missing>" and ("echo" in layer["CreatedBy"] or layer is layers[0])]
        made = [engine.json("GET", f"/images/{layer}/json")["Created"] for layer in ours]
        return min(made), max(made)


class Bulk(ListTest):
    def test_one_at_a_time_in_the_order_asked_for(self):
        made = self.slow(3)
        order = [made[2], made[0], made[1]]
        self.assertEqual(self.all(BUILD, order), {
            "queued": order, "skipped_built": [], "skipped_in_progress": []})
        rows = BUILD.rows(self.node)
        self.assertEqual({rows[c]["status"] for c in made}, {"building"})
        self.assertEqual(rows[order[2]]["position"] - rows[order[1]]["position"], 1)
        for challenge in order:
            self.assertDone(BUILD, self.node, challenge)
        spans = [self.span(challenge) for challenge in order]
        for before, after in zip(spans, spans[1:]):
            self.assertLess(before[1], after[0])
        done = [BUILD.row(self.node, c)["built_at"] for c in order]
        self.assertEqual(done, sorted(done))

    def test_no_body_means_all_and_what_is_built_is_skipped(self):
        made = self.slow(3, QUICK)
        self.begin(BUILD, self.node, made[1])
        self.assertDone(BUILD, self.node, made[1])
        result = self.all(BUILD)
        self.assertEqual(result["queued"], sorted([made[0], made[2]]))
        self.assertEqual(result["skipped_built"], [made[1]])
        for challenge in made:
            self.assertDone(BUILD, self.node, challenge)
        self.assertEqual(self.all(BUILD)["queued"], [])

    def test_what_is_in_the_list_or_at_work_is_skipped(self):
        made = self.slow(2)
        self.begin(BUILD, self.node, made[0])
        self.assertEqual(self.all(BUILD, made)["skipped_in_progress"], [made[0]])
        again = self.all(BUILD, made)
        self.assertEqual((again["queued"], again["skipped_in_progress"]), ([], made))
        for challenge in made:
            self.assertDone(BUILD, self.node, challenge)
        self.assertEqual(sorted(self.log_order("begins")), sorted(made), "each of them once")

    def test_a_failure_does_not_stop_the_list_and_is_tried_again_when_asked(self):
        broken = self.challenges.built("broken", "FROM ctfy/busybox\nRUN false\n")
        fine = self.challenges.built("fine", "FROM ctfy/busybox\nRUN true\n")
        self.challenges.rescan()
        self.all(BUILD, [broken, fine])
        self.assertFailed(BUILD, self.node, broken)
        self.assertDone(BUILD, self.node, fine)
        result = self.all(BUILD)
        self.assertEqual((result["queued"], result["skipped_built"]), ([broken], [fine]))
        self.assertFailed(BUILD, self.node, broken)

    def test_an_unknown_id_queues_nothing(self):
        made = self.slow(2)
        self.assertError(BUILD.ask_all(self.node, [made[0], "no-such-challenge", made[1]]), 404)
        self.assertError(BUILD.ask_all(self.node, [made[0], "../x"]), 422)
        self.assertEqual({row["status"] for row in BUILD.rows(self.node).values()}, {"unbuilt"})

    def test_an_empty_list_is_nothing(self):
        self.slow(1)
        self.assertEqual(self.all(BUILD, []), {
            "queued": [], "skipped_built": [], "skipped_in_progress": []})
        self.assertEqual({row["status"] for row in BUILD.rows(self.node).values()}, {"unbuilt"})

    def test_odd_bodies(self):
        made = self.slow(1, QUICK)
        path = "/admin/challenges/build-all"
        for body in (b"[]", b"{", b'{"challenge_ids": "x"}', b'{"challenge_ids": [1]}'):
            self.assertError(self.node.call("POST", path, body), 422)
        self.assertEqual(self.node.call("POST", path, {}).json["queued"], made)
        self.assertDone(BUILD, self.node, made[0])
        again = self.node.call("POST", path, {"challenge_ids": None, "other": 1})
        self.assertEqual(again.json["skipped_built"], made)
        twice = self.node.call("POST", path, {"challenge_ids": made * 2})
        self.assertEqual(twice.json["skipped_built"], made)

    def test_a_single_one_goes_on_beside_the_list_and_out_of_it(self):
        made = self.slow(3)
        self.all(BUILD, made)
        self.begin(BUILD, self.node, made[2])
        wait_for(lambda: BUILD.row(self.node, made[2]).get("position") is None
                 and BUILD.row(self.node, made[2]).get("step"), 20, "its turn")
        for challenge in made:
            self.assertDone(BUILD, self.node, challenge)
        self.assertLess(self.log_order("ended").index(made[2]), 2)
        self.assertEqual(len(self.log_order("begins")), 3)

    def test_pulls_have_a_list_of_their_own(self):
        made = self.slow(2)
        pulled = self.challenges.pulled("pulled", "ctfy/busybox")
        self.challenges.rescan()
        self.all(BUILD, made)
        result = self.all(PULL)
        self.assertEqual(result["queued"], sorted([*made, pulled]))
        self.assertDone(PULL, self.node, pulled, seconds=5)
        self.assertEqual(BUILD.row(self.node, made[1])["status"], "building")
        for challenge in made:
            self.assertDone(BUILD, self.node, challenge)

    def test_everybody_at_once(self):
        made = self.slow(4, QUICK)
        results = parallel([lambda: BUILD.ask_all(self.node).json for _ in range(8)])
        self.assertEqual(sorted(c for r in results for c in r["queued"]), sorted(made))
        for challenge in made:
            self.assertDone(BUILD, self.node, challenge)
        self.assertEqual(sorted(self.log_order("begins")), sorted(made))


class Death(ListTest):
    def test_a_killed_node_takes_its_list_up_again(self):
        made = self.slow(3, "FROM ctfy/busybox\nRUN echo begin NAME\nRUN sleep 3\nRUN echo end\n")
        order = [made[1], made[2], made[0]]
        self.all(BUILD, order)
        wait_for(lambda: BUILD.row(self.node, order[0]).get("step", 0) >= 2, 20, "a build at work")
        self.node.kill()
        self.node.start()
        rows = BUILD.rows(self.node)
        self.assertEqual({rows[c]["status"] for c in made}, {"building"})
        for challenge in order:
            self.assertDone(BUILD, self.node, challenge)
        done = [BUILD.row(self.node, c)["built_at"] for c in order]
        self.assertEqual(done, sorted(done))

    def test_a_single_one_is_taken_up_too(self):
        challenge, = self.slow(1, "FROM ctfy/busybox\nRUN sleep 3; echo NAME\n")
        self.begin(BUILD, self.node, challenge)
        wait_for(lambda: BUILD.row(self.node, challenge).get("step") == 2, 20, "a build at work")
        self.node.restart()
        self.assertEqual(BUILD.row(self.node, challenge)["status"], "building")
        self.assertDone(BUILD, self.node, challenge)

    def test_what_the_node_dies_of_twice_has_failed(self):
        challenge, = self.slow(1, "FROM ctfy/busybox\nRUN sleep 60; echo NAME\n")
        self.begin(BUILD, self.node, challenge)
        for _ in range(2):
            wait_for(lambda: BUILD.row(self.node, challenge).get("step") == 2, 20, "a build at work")
            self.node.restart()
        row = BUILD.row(self.node, challenge)
        self.assertEqual(row["status"], "failed")
        self.assertIn("interrupted", row["error"])
        self.challenges.write(challenge, {"Dockerfile": "FROM ctfy/busybox\n"})
        self.challenges.rescan()
        self.begin(BUILD, self.node, challenge)
        self.assertDone(BUILD, self.node, challenge)

    def test_sigterm_does_not_wait_for_a_build(self):
        challenge, = self.slow(1, "FROM ctfy/busybox\nRUN sleep 20; echo NAME\n")
        self.begin(BUILD, self.node, challenge)
        wait_for(lambda: BUILD.row(self.node, challenge).get("step") == 2, 20, "a build at work")
        began = time.monotonic()
        self.assertEqual(self.node.terminate(), 0)
        self.assertLess(time.monotonic() - began, 10)
        self.node.start()
        self.assertEqual(BUILD.row(self.node, challenge)["status"], "building")
        self.node.terminate()
        self.challenges.write(challenge, {"Dockerfile": "FROM ctfy/busybox\n"})
        self.node.start()
        self.assertDone(BUILD, self.node, challenge)


if __name__ == "__main__":
    images.main()

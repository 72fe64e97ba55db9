#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Builds ahead of the first start, as the contract tells them, on a real engine."""

import re
import time

import images
from harness import engine, parallel, wait_for
from images import BUILD, Challenges, ImageTest, empty_node, image_ids, new_name, tags

node = None
challenges = None


def setUpModule():
    global node, challenges
    node = empty_node()
    challenges = Challenges(node)


def name_of(challenge, service="app"):
    return f"ctfy-challenge/{challenge}/{service}"


class Single(ImageTest):
    def test_a_row_for_every_challenge(self):
        challenge = challenges.built("never", "FROM ctfy/busybox\n")
        challenges.rescan()
        row = BUILD.row(node, challenge)
        self.assertEqual({k: row[k] for k in ("challenge_id", "status", "built_at", "error")},
                         {"challenge_id": challenge, "status": "unbuilt", "built_at": None,
                          "error": None})

    def test_it_lands_on_built_with_what_was_made(self):
        challenge = challenges.built("plain", "FROM ctfy/busybox\nRUN echo hello > /hello\n")
        challenges.rescan()
        self.begin(BUILD, node, challenge)
        row = self.assertDone(BUILD, node, challenge)
        (tag, image_id), = tags(name_of(challenge)).items()
        self.assertEqual(row["digests"], [f"{name_of(challenge)}:{tag}@{image_id}"])

    def test_the_answer_does_not_wait_for_the_build(self):
        challenge = challenges.built("slow", "FROM ctfy/busybox\nRUN sleep 3; echo NAME\n")
        challenges.rescan()
        began = time.monotonic()
        self.begin(BUILD, node, challenge)
        self.assertLess(time.monotonic() - began, 2)
        self.assertEqual(BUILD.row(node, challenge)["status"], "building")
        self.assertDone(BUILD, node, challenge)

    def test_progress_is_in_the_row_and_in_the_log(self):
        challenge = challenges.built(
            "steps", "FROM ctfy/busybox\nRUN echo one\nRUN echo two; sleep 3; echo NAME\nRUN echo three\n")
        challenges.rescan()
        self.begin(BUILD, node, challenge)
        row = wait_for(lambda: (row := BUILD.row(node, challenge)).get("step") == 3 and row, 30,
                       lambda: f"step 3 of {BUILD.row(node, challenge)}")
        self.assertGreaterEqual(row["steps"], 4)
        self.assertIn(name_of(challenge), row["image"])
        self.assertDone(BUILD, node, challenge)
        self.assertRegex(node.log(), rf"build of '{challenge}': step 3 of \d+: RUN echo two")

    def test_a_failure_tells_the_last_lines(self):
        challenge = challenges.built(
            "broken", "FROM ctfy/busybox\n"
            "RUN i=0; while [ $i -lt 2000 ]; do echo \"line $i of the noise\"; i=$((i+1)); done\n"
            "RUN echo these are the last words; exit 7\n")
        challenges.rescan()
        self.begin(BUILD, node, challenge)
        row = self.assertFailed(BUILD, node, challenge, "returned a non-zero code: 7",
                                "these are the last words", "line 1999 of the noise")
        self.assertNotIn("line 1000 of the noise", row["error"])
        self.assertLess(len(row["error"]), 5000)

    def test_last_lines_that_were_cut_within_a_character(self):
        loop = "i=0; while [ $i -lt 2000 ]; do printf '%s'; i=$((i+1)); done; exit 7"
        made = [challenges.built("cut", f"FROM ctfy/busybox\nRUN {loop % ('x' * pad + 'ü€')}\n")
                for pad in range(3)]
        challenges.rescan()
        for challenge in made:
            self.begin(BUILD, node, challenge)
        for challenge in made:
            self.assertFailed(BUILD, node, challenge, "ü€")

    def test_a_faulty_dockerfile_and_a_missing_base(self):
        bad = challenges.built("bad", "FROM ctfy/busybox\nRUM echo\n")
        missing = challenges.built("missing", "FROM 127.0.0.1:9/no/such:image\n")
        challenges.rescan()
        self.begin(BUILD, node, bad)
        self.begin(BUILD, node, missing)
        self.assertFailed(BUILD, node, bad, "unknown instruction: RUM")
        self.assertFailed(BUILD, node, missing, "127.0.0.1:9/no/such:image", "connection refused")

    def test_a_plan_that_is_refused_is_a_failure_with_its_reason(self):
        challenge = challenges.built(
            "greedy", "FROM ctfy/busybox\n",
            "services:\n  app:\n    build: .\n    privileged: true\n")
        challenges.rescan()
        self.begin(BUILD, node, challenge)
        self.assertFailed(BUILD, node, challenge, "privileged")

    def test_it_can_be_mended_and_built_again(self):
        challenge = challenges.built("mended", "FROM ctfy/busybox\nRUN false\n")
        challenges.rescan()
        self.begin(BUILD, node, challenge)
        self.assertFailed(BUILD, node, challenge)
        challenges.write(challenge, {"Dockerfile": "FROM ctfy/busybox\nRUN true\n"})
        challenges.rescan()
        self.begin(BUILD, node, challenge)
        self.assertDone(BUILD, node, challenge)

    def test_two_services_and_one_that_uses_anothers_image(self):
        challenge = challenges.built(
            "pair", "FROM ctfy/busybox\nRUN echo a\n",
            "services:\n"
            "  app: {build: ., image: shared}\n"
            "  other: {build: {context: ., dockerfile: Other}}\n"
            "  third: {image: shared}\n", Other="FROM ctfy/busybox\nRUN echo b\n")
        challenges.rescan()
        self.begin(BUILD, node, challenge)
        row = self.assertDone(BUILD, node, challenge)
        self.assertEqual(sorted(d.split(":")[0] for d in row["digests"]),
                         [name_of(challenge), name_of(challenge, "other")])

    def test_nothing_to_build_is_built_at_once(self):
        pulled = challenges.pulled("pulled", "ctfy/busybox")
        question = new_name("question")
        challenges.write(question, {
            "challenge.yml": f"name: {question}\nquestions: [{{id: q, text: Why?, answer: x}}]\n"})
        challenges.rescan()
        for challenge in (pulled, question):
            self.begin(BUILD, node, challenge)
            self.assertDone(BUILD, node, challenge, seconds=5)

    def test_an_unknown_challenge_and_an_impossible_one(self):
        self.assertError(BUILD.ask(node, "no-such-challenge"), 404)
        self.assertError(BUILD.ask(node, "-x"), 422)
        self.assertError(node.call("POST", "/admin/challenges/build-state"), 405)

    def test_who_asks_again_joins(self):
        challenge = challenges.built("joined", "FROM ctfy/busybox\nRUN sleep 2; echo NAME\n")
        challenges.rescan()
        for reply in parallel([lambda: BUILD.ask(node, challenge)] * 8):
            self.assertStatus(reply, 200)
            self.assertEqual(reply.json["status"], "building")
        self.assertDone(BUILD, node, challenge)
        self.assertEqual(node.log(400).count(f"build of '{challenge}' begins"), 1)

    def test_a_start_waits_for_the_image_that_is_being_built(self):
        challenge = challenges.built(
            "awaited", "FROM ctfy/busybox\nRUN sleep 3; echo NAME > /made\nCMD [\"sleep\", \"600\"]\n")
        challenges.rescan()
        self.begin(BUILD, node, challenge)
        row, spec = node.begin(challenge)
        self.assertDone(BUILD, node, challenge, seconds=2)
        self.assertEqual(node.log(400).count(f"build of image '{name_of(challenge)}"), 2) # and "took"
        self.assertStatus(node.stop(spec["instance_id"]), 204)
        self.assertEqual(len(tags(name_of(challenge))), 1, "what was made ahead stays")

    def test_a_stop_does_not_wait_for_the_build_of_its_start(self):
        challenge = challenges.built("called-off", "FROM ctfy/busybox\nRUN sleep 30; echo NAME\n")
        challenges.rescan()
        spec = node.spec(challenge)
        self.assertStatus(node.post(spec, respond_async=True), 202)
        wait_for(lambda: re.search(rf"build of '{challenge}': step 2", node.log(400)), 20, "step 2")
        began = time.monotonic()
        self.assertStatus(node.stop(spec["instance_id"]), 204)
        self.assertLess(time.monotonic() - began, 10)


class Version(ImageTest):
    """'Built' is said of the challenge as it is."""

    def built(self, word, **files):
        challenge = challenges.built(
            word, "FROM ctfy/busybox\nCOPY data /data\n", **{"data": "one\n", ".dockerignore": "notes\n",
                                                       "notes": "x\n", **files})
        challenges.rescan()
        self.begin(BUILD, node, challenge)
        self.assertDone(BUILD, node, challenge)
        return challenge

    def test_a_rescan_without_a_change_changes_nothing(self):
        challenge = self.built("same")
        self.assertEqual(challenges.rescan()["changed"], [])
        self.assertEqual(BUILD.row(node, challenge)["status"], "built")

    def test_another_content_is_unbuilt(self):
        challenge = self.built("edited")
        challenges.write(challenge, {"data": "two\n"})
        self.assertEqual(BUILD.row(node, challenge)["status"], "built") # nobody has looked
        self.assertEqual(challenges.rescan()["changed"], [challenge])
        row = BUILD.row(node, challenge)
        self.assertEqual(row["status"], "unbuilt")
        self.assertIsNone(row["built_at"])
        self.begin(BUILD, node, challenge)
        self.assertDone(BUILD, node, challenge)
        self.assertEqual(len(tags(name_of(challenge))), 1, "the version before has gone")

    def test_a_change_that_no_image_comes_of_keeps_it_built(self):
        challenge = self.built("noted")
        challenges.write(challenge, {"notes": "y\n"})
        self.assertEqual(challenges.rescan()["changed"], [challenge])
        self.assertEqual(BUILD.row(node, challenge)["status"], "built")
        self.assertEqual(challenges.rescan()["changed"], [])

    def test_a_change_while_the_node_is_down_is_seen(self):
        challenge = self.built("asleep")
        other = self.built("awake")
        node.kill()
        challenges.write(challenge, {"data": "three\n"})
        node.start()
        self.assertEqual(BUILD.row(node, challenge)["status"], "unbuilt")
        self.assertEqual(BUILD.row(node, other)["status"], "built")

    def test_a_change_during_the_build_is_seen(self):
        challenge = challenges.built("late", "FROM ctfy/busybox\nCOPY data /data\nRUN sleep 3; echo NAME\n",
                                     data="one\n")
        challenges.rescan()
        self.begin(BUILD, node, challenge)
        wait_for(lambda: BUILD.row(node, challenge).get("step") == 3, 20, "step 3")
        challenges.write(challenge, {"data": "two\n"})
        challenges.rescan()
        self.assertEqual(BUILD.ended(node, challenge)["status"], "unbuilt")

    def test_an_image_that_has_gone_is_not_built(self):
        challenge = self.built("lost")
        for tag in tags(name_of(challenge)):
            images.remove_image(f"{name_of(challenge)}:{tag}")
        challenges.rescan()
        self.assertEqual(BUILD.row(node, challenge)["status"], "unbuilt")
        self.assertEqual(BUILD.ask_all(node, [challenge]).json["queued"], [challenge])
        self.assertDone(BUILD, node, challenge)


OWN = """\
FROM ctfy/busybox AS make
RUN echo heavy NAME > /heavy
ARG FLAG
RUN echo "$FLAG" > /mark

FROM ctfy/busybox
RUN echo light NAME > /light
COPY --from=make /mark /mark
CMD ["sleep", "600"]
"""

OWN_COMPOSE = """\
services:
  app:
    build: {context: ., args: {FLAG: "${FLAG}"}}
    init: true
"""


class OwnImages(ImageTest):
    """Images that hold an instance's answer."""

    def own(self, word):
        challenge = challenges.built(word, OWN, OWN_COMPOSE)
        challenges.rescan()
        return challenge

    def read_mark(self, instance_id):
        container, = node.made(instance_id)["container"]
        return engine.exec(container, ["cat", "/mark"])[1].strip()

    def test_each_instance_has_its_own_and_takes_it_along(self):
        challenge = self.own("own")
        self.begin(BUILD, node, challenge)
        self.assertDone(BUILD, node, challenge)
        warm = image_ids()
        kept = tags(name_of(challenge))
        self.assertEqual({t.split("-")[0] for t in kept if t.startswith("layers")}, {"layers"})
        specs = [node.begin(challenge)[1] for _ in range(3)]
        for spec in specs:
            self.assertEqual(self.read_mark(spec["instance_id"]), spec["answers"]["flag"])
        for spec in specs:
            self.assertStatus(node.stop(spec["instance_id"]), 204)
        self.assertEqual(tags(name_of(challenge)), kept)
        self.assertEqual(image_ids() & warm, warm, "what was warm stays warm")
        self.assertEqual(self.dangling() - warm, set(), "nothing is left of the instances")

    def dangling(self):
        """Layers that hold a mark: of our Dockerfile, after its ARG."""
        found = set()
        for image in images.image_list(True):
            history = engine.json("GET", f"/images/{image['Id']}/history")
            if any("/mark" in layer["CreatedBy"] and "FLAG=flag{" in layer["CreatedBy"]
                   for layer in history):
                found.add(image["Id"])
        return found

    def test_without_warming_the_shared_layers_stay(self):
        challenge = self.own("cold")
        _, first = node.begin(challenge)
        self.assertStatus(node.stop(first["instance_id"]), 204)
        held = tags(name_of(challenge))
        self.assertEqual(sorted(held), ["layers-0", "layers-1"])
        before = image_ids()
        _, second = node.begin(challenge)
        self.assertEqual(tags(name_of(challenge))["layers-0"], held["layers-0"], "from the cache")
        self.assertStatus(node.stop(second["instance_id"]), 204)
        self.assertEqual(image_ids() & before, before)

    def test_two_instances_with_one_answer(self):
        challenge = self.own("twins")
        answers = {"flag": "flag{the same for both}"}
        _, one = node.begin(challenge, answers=answers)
        _, two = node.begin(challenge, answers=answers)
        self.assertStatus(node.stop(one["instance_id"]), 204)
        self.assertEqual(self.read_mark(two["instance_id"]), answers["flag"])
        self.assertStatus(node.stop(two["instance_id"]), 204)
        self.assertEqual([t for t in tags(name_of(challenge)) if not t.startswith("layers-")], [])

    def test_at_once(self):
        challenge = self.own("crowd")
        specs = [node.spec(challenge) for _ in range(6)]
        for reply in parallel([lambda s=s: node.post(s) for s in specs]):
            self.assertStatus(reply, 201)
        for spec in specs:
            self.assertEqual(self.read_mark(spec["instance_id"]), spec["answers"]["flag"])
        for reply in parallel([lambda s=s: node.stop(s["instance_id"]) for s in specs]):
            self.assertStatus(reply, 204)
        self.assertEqual([t for t in tags(name_of(challenge)) if not t.startswith("layers-")], [])

    def test_the_stage_that_an_attachment_comes_from_is_built_too(self):
        challenge = challenges.built("handout", OWN, OWN_COMPOSE)
        challenges.write(challenge, {
            "challenge.yml": f"name: {challenge}\nquestions:\n"
                             "  - {id: flag, text: What?, answer: 'flag{...}'}\nattachments:\n"
                             "  - {filename: mark, service: app, stage: make, path: /mark}\n"})
        challenges.rescan()
        self.begin(BUILD, node, challenge)
        self.assertEqual(len(self.assertDone(BUILD, node, challenge)["digests"]), 2)
        kept = tags(name_of(challenge))
        self.assertEqual(sorted(t for t in kept if t.startswith("layers")),
                         ["layers-0", "layers-1", "layers-make-0"])
        _, spec = node.begin(challenge)
        self.assertStatus(node.stop(spec["instance_id"]), 204)
        self.assertEqual(tags(name_of(challenge)), kept)

    def test_a_failing_start_leaves_no_image(self):
        challenge = challenges.built("spoilt", OWN.replace("COPY --from", "RUN false\nCOPY --from"),
                                     OWN_COMPOSE)
        challenges.rescan()
        before = self.dangling()
        self.assertError(node.post(node.spec(challenge)), 502)
        self.assertEqual(self.dangling() - before, set())


class BuildKit(ImageTest):
    """What only BuildKit understands, as far as this engine's goes."""

    def build(self, word, dockerfile, **files):
        challenge = challenges.built(word, dockerfile, **files)
        challenges.rescan()
        self.begin(BUILD, node, challenge)
        return challenge

    def test_chmod_and_mounts(self):
        challenge = self.build("kit", "FROM ctfy/busybox\nCOPY --chmod=750 data /data\n"
                               "RUN --mount=type=cache,target=/cache echo x > /cache/y\n", data="x")
        row = self.assertDone(BUILD, node, challenge)
        self.assertIn("@sha256:", row["digests"][0])
        self.assertRegex(node.log(), rf"build of '{challenge}': step \d of \d: RUN --mount")

    def test_a_heredoc_works_or_is_refused_in_clear_words(self):
        challenge = self.build("heredoc", "FROM ctfy/busybox\nRUN <<EOF\necho hello > /hello\nEOF\n")
        row = BUILD.ended(node, challenge)
        if row["status"] != "built":
            self.assertIn("needs a newer BuildKit than this engine has", row["error"])

    def test_its_failure_tells_the_last_lines_too(self):
        challenge = self.build("kit-broken", "FROM ctfy/busybox\nCOPY --chmod=750 data /data\n"
                               "RUN echo these are the last words; exit 7\n", data="x")
        self.assertFailed(BUILD, node, challenge, "exit code: 7", "these are the last words")


if __name__ == "__main__":
    images.main()

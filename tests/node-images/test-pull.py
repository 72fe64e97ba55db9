#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Pulls ahead of the first start: real registries, with and without a login, that refuse, stumble
and die; and a mirror of docker.io."""

import os
import time
import unittest

import images
from harness import engine, wait_for
from images import (BUILD, PULL, PREFIX, Challenges, ImageTest, Registry, SpoilingProxy, docker,
                    empty_node, has_image, new_name, remove_image)

registry = None
node = None
challenges = None
dying = None


class DyingRegistry:
    """Killed in the middle of a pull. The engine then tries the layer five times, which takes it most
    of a minute: the other tests run meanwhile."""

    def __init__(self):
        self.registry = Registry()
        unittest.addModuleCleanup(self.registry.close)
        self.name = new_name("dying") + ":1"
        self.registry.push(self.name, size=8 << 20)
        proxy = self.stand_before()
        self.challenge = challenges.pulled("dying", f"{proxy.address}/{self.name}")
        challenges.rescan()
        proxy.hold_after = 2 << 20
        PULL.ask(node, self.challenge)
        proxy.holding.wait(30)
        wait_for(lambda: PULL.row(node, self.challenge).get("bytes", 0) > 0, 30, "bytes")
        self.registry.kill()
        proxy.close()

    def stand_before(self):
        proxy = SpoilingProxy(self.registry)
        unittest.addModuleCleanup(proxy.close)
        return proxy

    def rise(self):
        """The registry is there again; a challenge that wants the image from it."""
        self.registry.start()
        return challenges.pulled("again", f"{self.stand_before().address}/{self.name}")


def setUpModule():
    global registry, node, challenges, dying
    registry = Registry()
    unittest.addModuleCleanup(registry.close)
    node = empty_node()
    challenges = Challenges(node)
    dying = DyingRegistry()


def pushed(word, **more):
    return registry.push(f"{new_name(word)}:1", **more)


class Open(ImageTest):
    def test_it_lands_on_pulled_with_the_digest(self):
        reference = pushed("plain")
        challenge = challenges.pulled("plain", reference)
        challenges.rescan()
        self.assertEqual(PULL.row(node, challenge)["status"], "unpulled")
        self.begin(PULL, node, challenge)
        row = self.assertDone(PULL, node, challenge)
        digest = engine.json("GET", f"/images/{reference}/json")["RepoDigests"][0].split("@")[1]
        self.assertEqual(row["digests"], [f"{reference}@{digest}"])
        _, spec = node.begin(challenge)
        self.assertStatus(node.stop(spec["instance_id"]), 204)
        self.assertTrue(has_image(reference), "a pulled image outlives its instances")

    def test_every_service_s_image(self):
        references = [pushed("a"), pushed("b")]
        challenge = challenges.pulled("both", *references, references[0])
        challenges.rescan()
        self.begin(PULL, node, challenge)
        row = self.assertDone(PULL, node, challenge)
        self.assertEqual(len(row["digests"]), 2)
        for reference in references:
            self.assertTrue(has_image(reference))

    def test_a_missing_image(self):
        present = pushed("there")
        absent = f"{registry.address}/{new_name('absent')}:1"
        challenge = challenges.pulled("absent", present, absent)
        challenges.rescan()
        self.begin(PULL, node, challenge)
        self.assertFailed(PULL, node, challenge, absent, "not found", "service 's1'")

    def test_nothing_to_pull_is_pulled_at_once(self):
        challenge = challenges.built("built", "FROM ctfy/busybox\n")
        challenges.rescan()
        self.begin(PULL, node, challenge)
        self.assertDone(PULL, node, challenge, seconds=5)

    def test_an_image_of_this_machine_s_own_is_not_asked_for(self):
        name = new_name("made-here")
        docker("build", "-q", "-t", name, "-", input=b"FROM ctfy/busybox\nLABEL it=made\n")
        challenge = challenges.pulled("own", name, "ctfy/busybox")
        challenges.rescan()
        self.begin(PULL, node, challenge)
        self.assertDone(PULL, node, challenge)
        self.assertIn(f"image '{name}' is this machine's own", node.log())
        self.assertNotIn(f"pull of image '{name}'", node.log())
        self.assertNotIn("pull of image 'ctfy/busybox'", node.log()) # no registry has a name of ours

    def test_a_newer_one_replaces_the_one_that_is_here(self):
        name = new_name("moving") + ":1"
        reference = registry.push(name, "FROM ctfy/busybox\nLABEL version=1\n")
        challenge = challenges.pulled("moving", reference)
        challenges.rescan()
        self.begin(PULL, node, challenge)
        first = self.assertDone(PULL, node, challenge)["digests"]
        docker("tag", reference, f"{PREFIX}-kept") # or the push would take it away
        registry.push(name, "FROM ctfy/busybox\nLABEL version=2\n")
        docker("tag", f"{PREFIX}-kept", reference)
        self.begin(PULL, node, challenge)
        self.assertNotEqual(self.assertDone(PULL, node, challenge)["digests"], first)

    def test_another_image_in_the_spec_is_unpulled(self):
        first, second = pushed("first"), pushed("second")
        challenge = challenges.pulled("switched", first)
        challenges.rescan()
        self.begin(PULL, node, challenge)
        self.assertDone(PULL, node, challenge)
        compose = os.path.join(node.challenges, challenge, "compose.yml")
        with open(compose) as file:
            text = file.read()
        challenges.write(challenge, {"compose.yml": text.replace(first, second)})
        self.assertEqual(challenges.rescan()["changed"], [challenge])
        self.assertEqual(PULL.row(node, challenge)["status"], "unpulled")

    def test_an_image_that_has_gone_is_not_pulled(self):
        reference = pushed("gone")
        challenge = challenges.pulled("gone", reference)
        challenges.rescan()
        self.begin(PULL, node, challenge)
        self.assertDone(PULL, node, challenge)
        remove_image(reference)
        self.assertEqual(PULL.ask_all(node, [challenge]).json["queued"], [challenge])
        self.assertDone(PULL, node, challenge)
        self.assertTrue(has_image(reference))

    def test_by_digest(self):
        reference = pushed("pinned")
        docker("pull", "-q", reference)
        pinned = engine.json("GET", f"/images/{reference}/json")["RepoDigests"][0]
        remove_image(reference)
        challenge = challenges.pulled("pinned", pinned)
        challenges.rescan()
        self.begin(PULL, node, challenge)
        self.assertDone(PULL, node, challenge)
        challenges.rescan()
        self.assertEqual(PULL.row(node, challenge)["status"], "pulled")

    def test_never_means_never(self):
        reference = pushed("never")
        challenge = challenges.pulled("never", reference)
        compose = os.path.join(node.challenges, challenge, "compose.yml")
        with open(compose) as file:
            text = file.read()
        challenges.write(challenge, {"compose.yml": text.replace("command", "pull_policy: never, command")})
        challenges.rescan()
        self.begin(PULL, node, challenge)
        self.assertFailed(PULL, node, challenge, "pull_policy")

    def test_an_unknown_challenge(self):
        self.assertError(PULL.ask(node, "no-such-challenge"), 404)


class Spoilt(ImageTest):
    """A proxy before the registry, which is on 127.0.0.1 too: the engine takes that without TLS."""

    def setUp(self):
        self.proxy = SpoilingProxy(registry)
        self.addCleanup(self.proxy.close)

    def challenge(self, word, **more):
        name = new_name(word) + ":1"
        registry.push(name, **more)
        challenge = challenges.pulled(word, f"{self.proxy.address}/{name}")
        challenges.rescan()
        return challenge

    def spoil(self, statuses):
        """The first times that a manifest is got, these are the answers."""
        left = list(statuses)
        self.proxy.spoil = lambda method, path: (
            left.pop(0) if method == "GET" and "/manifests/" in path and left else None)

    def test_a_busy_registry_is_asked_again(self):
        for statuses in [[429, 429], [503], [500, 502]]:
            with self.subTest(statuses=statuses):
                challenge = self.challenge("busy")
                self.spoil(statuses)
                began = time.monotonic()
                self.begin(PULL, node, challenge)
                self.assertDone(PULL, node, challenge)
                self.assertGreater(time.monotonic() - began, len(statuses))
                self.assertIn("trying again in", node.log())

    def test_patience_ends(self):
        challenge = self.challenge("tired")
        self.spoil([429] * 100)
        self.begin(PULL, node, challenge)
        self.assertFailed(PULL, node, challenge, "toomanyrequests", seconds=60)
        got = [path for method, path in self.proxy.asked if method == "GET" and "/manifests/" in path]
        self.assertEqual(len(got), 5)

    def test_a_refusal_is_not_asked_again(self):
        challenge = self.challenge("refused")
        self.spoil([404] * 100)
        self.begin(PULL, node, challenge)
        self.assertFailed(PULL, node, challenge, "manifest unknown", seconds=10)

    def test_progress_in_bytes(self):
        challenge = self.challenge("large", size=8 << 20)
        self.proxy.hold_after = 4 << 20
        self.begin(PULL, node, challenge)
        row = wait_for(lambda: (row := PULL.row(node, challenge)).get("bytes", 0) > 0 and row,
                       30, lambda: f"bytes of {PULL.row(node, challenge)}")
        self.assertLess(row["bytes"], 8 << 20)
        self.assertGreaterEqual(row["bytes_total"], 8 << 20)
        self.assertIn(self.proxy.address, row["image"])
        self.proxy.released.set()
        self.assertDone(PULL, node, challenge)

    def test_a_registry_that_dies_in_the_middle(self):
        self.assertFailed(PULL, node, dying.challenge, seconds=150)
        again = dying.rise()
        challenges.rescan()
        self.begin(PULL, node, again)
        self.assertDone(PULL, node, again)


class Closed(ImageTest):
    """A registry that wants a login."""

    @classmethod
    def setUpClass(cls):
        cls.registry = Registry("someone:p:ass word")
        cls.addClassCleanup(cls.registry.close)

    def node_with(self, **options):
        node = empty_node(**options)
        self.addCleanup(node.close)
        return node, Challenges(node)

    def test_with_the_login(self):
        reference = self.registry.push(new_name("closed") + ":1")
        directory = self.registry.docker_config()
        node, challenges = self.node_with(docker_config=os.path.join(directory, "config.json"))
        challenge = challenges.pulled("closed", reference)
        challenges.rescan()
        self.begin(PULL, node, challenge)
        self.assertDone(PULL, node, challenge)
        remove_image(reference)
        _, spec = node.begin(challenge) # a start pulls in the same way
        self.assertStatus(node.stop(spec["instance_id"]), 204)

    def test_a_base_image_with_the_login(self):
        reference = self.registry.push(new_name("base") + ":1")
        directory = self.registry.docker_config()
        node, challenges = self.node_with(docker_config=os.path.join(directory, "config.json"))
        for word, dockerfile in [("classic", "ARG BASE\nFROM ${BASE}\nRUN true\n"),
                                 ("kit", "ARG BASE\nFROM ${BASE}\nRUN --mount=type=cache,target=/c true\n")]:
            with self.subTest(word):
                challenge = challenges.built(
                    word, dockerfile,
                    f"services:\n  app:\n    build: {{context: ., args: {{BASE: '{reference}'}}}}\n")
                challenges.rescan()
                self.begin(BUILD, node, challenge)
                self.assertDone(BUILD, node, challenge)
                for tag in images.tags(f"ctfy-challenge/{challenge}/app"):
                    remove_image(f"ctfy-challenge/{challenge}/app:{tag}")
                remove_image(reference)

    def test_without_a_login_or_with_a_wrong_one(self):
        reference = self.registry.push(new_name("denied") + ":1")
        wrong = self.registry.docker_config(login="someone:else")
        for options in [{}, {"docker_config": os.path.join(wrong, "config.json")}]:
            with self.subTest(options):
                node, challenges = self.node_with(**options)
                challenge = challenges.pulled("denied", reference)
                challenges.rescan()
                self.begin(PULL, node, challenge)
                row = self.assertFailed(PULL, node, challenge, reference)
                self.assertRegex(row["error"], "no basic auth credentials|unauthorized")

    def test_a_login_that_is_left_to_a_helper_is_said(self):
        reference = self.registry.push(new_name("helped") + ":1")
        path = os.path.join(self.registry.dir, "helper.json")
        with open(path, "w") as file:
            file.write('{"credHelpers": {"%s": "secretservice"}}' % self.registry.address)
        node, challenges = self.node_with(docker_config=path)
        challenge = challenges.pulled("helped", reference)
        challenges.rescan()
        self.begin(PULL, node, challenge)
        self.assertFailed(PULL, node, challenge, "credential helper 'secretservice'")

    def test_a_file_that_cannot_be_used_is_told_at_the_start(self):
        path = os.path.join(self.registry.dir, "broken.json")
        with open(path, "w") as file:
            file.write("{")
        for file, words in [(path, "not JSON"), (path + ".absent", "there is no file")]:
            node = empty_node(docker_config=file, start=False)
            self.addCleanup(node.close)
            with self.assertRaisesRegex(AssertionError, words):
                node.start()


class Mirror(ImageTest):
    def mirrored_node(self, mirror):
        node = empty_node(registry_mirror=mirror)
        self.addCleanup(node.close)
        return node, Challenges(node)

    def test_what_is_docker_io_s_comes_from_the_mirror_under_its_own_name(self):
        node, challenges = self.mirrored_node(f"http://{registry.address}/")
        official, ours = new_name("official"), new_name("ours") + "/web"
        registry.push(f"library/{official}:latest")
        registry.push(f"{ours}:2")
        challenge = challenges.pulled("mirrored", official, f"{ours}:2")
        challenges.rescan()
        self.begin(PULL, node, challenge)
        row = self.assertDone(PULL, node, challenge)
        self.assertEqual([d.split("@")[0] for d in row["digests"]], [official, f"{ours}:2"])
        for reference in (official, f"{ours}:2"):
            self.assertTrue(has_image(reference))
        self.begin(PULL, node, challenge) # it came from a registry, and is asked for again
        self.assertDone(PULL, node, challenge)
        self.assertNotIn("this machine's own", node.log())

    def test_a_base_image_comes_from_the_mirror(self):
        node, challenges = self.mirrored_node(registry.address)
        official = new_name("base")
        registry.push(f"library/{official}:latest")
        challenge = challenges.built("on-mirror", f"FROM {official}\nRUN true\n")
        challenges.rescan()
        self.begin(BUILD, node, challenge)
        self.assertDone(BUILD, node, challenge)

    def test_other_registries_are_asked_themselves(self):
        node, challenges = self.mirrored_node("127.0.0.1:9")
        challenge = challenges.pulled("direct", pushed("direct"))
        challenges.rescan()
        self.begin(PULL, node, challenge)
        self.assertDone(PULL, node, challenge)

    def test_what_the_mirror_lacks_is_asked_of_docker_io_itself(self):
        node, challenges = self.mirrored_node(registry.address)
        challenge = challenges.pulled("nowhere", new_name("nowhere"))
        challenges.rescan()
        self.begin(PULL, node, challenge)
        self.assertFailed(PULL, node, challenge, "and the mirror: ", registry.address)


if __name__ == "__main__":
    images.main()

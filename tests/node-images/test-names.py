#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Names that are ctfy's own: what is run under them, and who may use them.

Images of ctfy's own are run by the id of what the node built, whatever has their name by now; no
registry is asked for a name of ours, however it is written; no challenge has another's image.
"""

import tempfile

import images
from images import BUILD, Challenges, ImageTest, docker, empty_node, engine, harness, new_name, tags

node = None
challenges = None
proxy = None

CAPTURED = "name: {}\ncapture: headers\nquestions:\n  - {{id: flag, text: What?, answer: 'flag{{...}}'}}\n"


def image_id(reference):
    return engine.json("GET", f"/images/{reference}/json")["Id"]


class OwnImages(ImageTest):
    def run_captured(self, on):
        """Starts and stops an instance that is captured; the image its sidecar ran on."""
        challenge = new_name("captured")
        Challenges(on).write(challenge, {
            "challenge.yml": CAPTURED.format(challenge),
            "compose.yml": "services:\n  app: {image: ctfy/busybox, init: true,"
                           " command: [busybox, sleep, '600']}\n"})
        self.assertStatus(on.call("POST", "/admin/rescan-challenges"), 200)
        spec = on.spec(challenge)
        self.assertStatus(on.post(spec, timeout=300), 201) # the first has the image built
        sidecar = on.containers(spec["instance_id"])["ctfy-capture"]
        self.assertStatus(on.stop(spec["instance_id"]), 200, 204)
        return sidecar["Image"]

    def test_what_a_stranger_gave_our_name_to_is_not_run(self):
        ours = self.run_captured(node)
        # With a label that says what it was built of, as the stranger's would have.
        label = engine.json("GET", "/images/ctfy%2Fcapture/json")["Config"]["Labels"].get("ctfy.content")
        docker("build", "-q", "-t", "ctfy/capture", "-", input=(
            f"FROM ctfy/busybox\nLABEL it=strange-{new_name('x')} ctfy.content={label}\n").encode())
        strange = image_id("ctfy/capture")
        self.addCleanup(images.remove_image, strange)
        self.assertNotEqual(strange, ours)
        self.assertEqual(self.run_captured(node), ours)
        self.assertEqual(image_id("ctfy/capture"), ours) # for whoever begins with the name

    def test_a_node_that_never_built_it_takes_nothing_for_granted(self):
        self.run_captured(node)
        docker("build", "-q", "-t", "ctfy/capture", "-",
               input=f"FROM ctfy/busybox\nLABEL it=strange-{new_name('x')}\n".encode())
        strange = image_id("ctfy/capture")
        self.addCleanup(images.remove_image, strange)
        other = empty_node()
        self.addCleanup(other.close)
        self.assertNotEqual(self.run_captured(other), strange)

    def test_two_nodes_make_the_same_of_the_same(self):
        other = empty_node()
        self.addCleanup(other.close)
        self.assertEqual(self.run_captured(node), self.run_captured(other))


class Reserved(ImageTest):
    def refused(self, dockerfile, *words, compose=None):
        challenge = challenges.built("greedy", dockerfile, compose)
        challenges.rescan()
        reply = self.assertError(node.post(node.spec(challenge)), 403, 409, 422, 400, 502)
        for word in words:
            self.assertIn(word, reply.detail)

    def test_no_registry_is_asked_for_a_name_of_ours(self):
        proxy.calls.clear()
        for name in ["ctfy/nosuch", "docker.io/ctfy/nosuch", "index.docker.io/ctfy/nosuch:1"]:
            challenge = challenges.pulled("nosuch", name)
            challenges.rescan()
            reply = self.assertError(node.post(node.spec(challenge)), 404, 422, 502)
            self.assertIn("never pulled", reply.detail)
        self.refused("FROM ctfy/nosuch\n", "never pulled")
        self.refused("FROM ctfy/busybox\nCOPY --chmod=755 --from=ctfy/nosuch /x /x\n", "never pulled")
        self.assertEqual([call for call in proxy.calls if "/images/create" in call], [])

    def test_no_challenge_runs_or_reads_anothers_image(self):
        secret = challenges.built("secret", "FROM ctfy/busybox\nRUN busybox echo s3cret > /NAME\n"
                                  "CMD [\"busybox\", \"sleep\", \"600\"]\n")
        challenges.rescan()
        self.begin(BUILD, node, secret)
        self.assertDone(BUILD, node, secret)
        name = f"ctfy-challenge/{secret}/app"
        tag, content = next(iter(tags(name).items()))
        short = content.split(":")[1][:16]
        for image in [f"{name}:{tag}", f"docker.io/{name}:{tag}", short, content]:
            thief = challenges.pulled("thief", image)
            challenges.rescan()
            self.assertNotEqual(node.post(node.spec(thief)).status, 201, image)
        self.refused(f"FROM {name}:{tag}\n", "is what a node calls")
        self.refused(f"ARG A=challenge\nFROM ctfy-$A/{secret}/app:{tag}\n", "is what a node calls")
        self.refused(f"FROM ctfy-challenge\"\"/{secret}/app:{tag}\n", "is what a node calls")
        self.refused(f"FROM {short}\n", "may be an image's id")
        self.refused(f"FROM ctfy/busybox\nCOPY --from={name}:{tag} /{secret} /x\n", "is what a node calls")
        self.refused(f"FROM ctfy/busybox\nRUN --mount=type=bind,from={name}:{tag},target=/x cp /x/* /\n",
                     "is what a node calls")
        self.refused(f"FROM ctfy/busybox\nRUN <<EOF\nFROM {name}:{tag}\nEOF\n", "is what a node calls")
        self.refused(f"FROM ctfy/busybox\nRUN busybox echo {name}:{tag}\n", "which is what a node calls")

    def test_a_base_images_trigger_copies_nothing_of_anothers(self):
        base = f"{harness.PREFIX}/trigger"
        docker("build", "-q", "-t", base, "-", input=b"FROM ctfy/busybox\n"
               b"ONBUILD COPY --from=ctfy-challenge/a/b:c /flag /flag\n")
        self.addCleanup(images.remove_image, base)
        self.refused(f"FROM {base}\n", "copies from")

    def test_what_stands_on_our_images_is_built(self):
        challenge = challenges.built("stands", "FROM ctfy/busybox:latest\nRUN busybox true\n")
        challenges.rescan()
        self.begin(BUILD, node, challenge)
        self.assertDone(BUILD, node, challenge)


def setUpModule():
    global node, challenges, proxy
    proxy = harness.EngineProxy(tempfile.mkdtemp(prefix="ctfy-node-test-"))
    node = empty_node(engine_url=proxy.url)
    challenges = Challenges(node)


def tearDownModule():
    node.close()
    proxy.close()


if __name__ == "__main__":
    images.main()

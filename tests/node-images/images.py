# SPDX-License-Identifier: Apache-2.0
"""What the tests of images stand on, beside the node's own harness: challenges written on the spot,
registries, and a proxy that spoils their answers.

Every image that is made here has the prefix of this process in its name and is removed at the end.
"""

import base64
import http.client
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../node"))

import harness
from harness import Node, NodeTest, engine, wait_for

PREFIX = harness.PREFIX
REGISTRY = os.path.join(HERE, "../../tools/registry.sh")
DOCKER = "/usr/bin/docker"


# --- The engine's images ---------------------------------------------------------------------


def image_list(everything=False):
    return engine.json("GET", f"/images/json?all={int(everything)}")


def image_ids():
    """All of them, layers of the classic builder included."""
    return {image["Id"] for image in image_list(True)}


def tags(name):
    """{tag: id} of the images of that name."""
    return {tag.rsplit(":", 1)[1]: image["Id"] for image in image_list()
            for tag in image["RepoTags"] or [] if tag.rsplit(":", 1)[0] == name}


def has_image(reference):
    return engine.call("GET", f"/images/{urllib.parse.quote(reference, safe='')}/json")[0] == 200


def remove_image(reference):
    status, body = engine.call("DELETE", f"/images/{urllib.parse.quote(reference, safe='')}?force=1")
    if status not in (200, 404):
        raise AssertionError(f"remove '{reference}': {status} {body}")


def remove_ours():
    for image in image_list():
        for reference in (image["RepoTags"] or []) + (image["RepoDigests"] or []):
            if PREFIX in reference and "<none>" not in reference:
                remove_image(reference)


def docker(*args, config=None, **more):
    env = {**os.environ, "DOCKER_BUILDKIT": "0"}
    if config:
        env["DOCKER_CONFIG"] = config
    done = subprocess.run([DOCKER, *args], env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, **more)
    if done.returncode != 0:
        raise AssertionError(f"docker {' '.join(args)}: {done.stdout.decode()}")
    return done.stdout.decode()


# --- Challenges ------------------------------------------------------------------------------


def new_name(word):
    return harness.new_id(word).lower()


class Challenges:
    """A node's challenge folders, made and changed by the tests."""

    def __init__(self, node):
        self.node = node

    def write(self, challenge, files):
        """files: {path: text}; a compose.yml of one sleeping service unless there is one."""
        folder = os.path.join(self.node.challenges, challenge)
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
            with open(os.path.join(folder, path), "w") as file:
                file.write(text)
        return folder

    def built(self, word, dockerfile, compose=None, **files):
        """A challenge whose one service 'app' is built; its id.

        NAME in the Dockerfile becomes the id, so that no other build's layers will do for it.
        """
        challenge = new_name(word)
        self.write(challenge, {
            "challenge.yml": f"name: {challenge}\nquestions:\n"
                             "  - {id: flag, text: What?, answer: 'flag{...}'}\n",
            "compose.yml": compose or "services:\n  app:\n    build: .\n    init: true\n",
            "Dockerfile": dockerfile.replace("NAME", challenge), **files})
        return challenge

    def pulled(self, word, *images):
        """A challenge of one service for each image; its id."""
        challenge = new_name(word)
        services = "".join(f"  s{i}: {{image: '{image}', command: [sleep, '600'], init: true}}\n"
                           for i, image in enumerate(images))
        self.write(challenge, {"challenge.yml": f"name: {challenge}\n",
                               "compose.yml": "services:\n" + services})
        return challenge

    def rescan(self):
        reply = self.node.call("POST", "/admin/rescan-challenges")
        if reply.status != 200:
            raise AssertionError(f"rescan gave {reply}")
        return reply.json


def empty_node(**options):
    """A node without challenges."""
    empty = tempfile.mkdtemp(prefix="ctfy-node-test-")
    try:
        return Node(challenges=empty, ready_networks=0, **options)
    finally:
        os.rmdir(empty)


class Kind:
    """Builds or pulls, in their own words."""

    def __init__(self, verb, unasked, working, done, at):
        self.verb, self.unasked, self.working, self.done, self.at = verb, unasked, working, done, at
        self.skipped = "skipped_" + done

    def ask(self, node, challenge):
        return node.call("POST", f"/admin/challenges/{challenge}/{self.verb}")

    def ask_all(self, node, *ids):
        """No ids: no body; a list: that one."""
        body = {"challenge_ids": ids[0]} if ids else None
        return node.call("POST", f"/admin/challenges/{self.verb}-all", body)

    def rows(self, node):
        reply = node.call("GET", f"/admin/challenges/{self.verb}-state")
        if reply.status != 200:
            raise AssertionError(f"GET {self.verb}-state gave {reply}")
        return {row["challenge_id"]: row for row in reply.json["rows"]}

    def row(self, node, challenge):
        return self.rows(node)[challenge]

    def ended(self, node, challenge, seconds=60):
        """The row, once it is no longer at work."""
        def look():
            row = self.row(node, challenge)
            return row if row["status"] != self.working else None
        return wait_for(look, seconds, lambda: f"end of {self.verb}; is {self.row(node, challenge)}")


BUILD = Kind("build", "unbuilt", "building", "built", "built_at")
PULL = Kind("pull", "unpulled", "pulling", "pulled", "pulled_at")


class ImageTest(NodeTest):
    def begin(self, kind, node, challenge):
        reply = self.assertStatus(kind.ask(node, challenge), 200)
        self.assertEqual(reply.json["challenge_id"], challenge)
        self.assertEqual(reply.json["status"], kind.working)

    def assertDone(self, kind, node, challenge, seconds=60):
        row = kind.ended(node, challenge, seconds)
        self.assertEqual(row["status"], kind.done, row)
        self.assertTime(row[kind.at])
        self.assertIsNone(row["error"])
        return row

    def assertFailed(self, kind, node, challenge, *words, seconds=60):
        row = kind.ended(node, challenge, seconds)
        self.assertEqual(row["status"], "failed", row)
        self.assertIsNone(row[kind.at])
        for word in words:
            self.assertIn(word, row["error"])
        return row


# --- Registries ------------------------------------------------------------------------------


class Registry:
    """A docker-registry of the test's own."""

    def __init__(self, login=None):
        self.dir = tempfile.mkdtemp(prefix="ctfy-registry-")
        self.login = login
        self.address = None
        self.start()

    def start(self):
        auth = ["--auth", self.login] if self.login else []
        listen = ["--listen", self.address] if self.address else []
        self.address = subprocess.run([REGISTRY, "start", self.dir, *auth, *listen], check=True,
                                      stdout=subprocess.PIPE, text=True).stdout.strip()

    def kill(self):
        with open(os.path.join(self.dir, "pid")) as file:
            os.kill(int(file.read()), signal.SIGKILL)

    def stop(self):
        subprocess.run([REGISTRY, "stop", self.dir], check=True)

    def close(self):
        self.stop()
        shutil.rmtree(self.dir)

    def docker_config(self, address=None, login=None):
        """A directory with a config.json that has the login."""
        directory = tempfile.mkdtemp(dir=self.dir)
        auth = base64.b64encode((login or self.login).encode()).decode()
        with open(os.path.join(directory, "config.json"), "w") as file:
            json.dump({"auths": {address or self.address: {"auth": auth}}}, file)
        return directory

    def push(self, name, dockerfile="FROM ctfy/busybox\nLABEL it=pushed\n", size=0):
        """An image that only the registry has; size: random bytes in a layer of it."""
        reference = f"{self.address}/{name}"
        context = tempfile.mkdtemp(dir=self.dir)
        if size:
            dockerfile += "COPY random /\n"
            with open(os.path.join(context, "random"), "wb") as file:
                file.write(os.urandom(size))
        with open(os.path.join(context, "Dockerfile"), "w") as file:
            file.write(dockerfile)
        docker("build", "-q", "-t", reference, context)
        docker("push", "-q", reference, config=self.docker_config() if self.login else None)
        docker("rmi", "-f", reference)
        return reference


SPOILT = {
    404: b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}',
    429: b'{"errors": [{"code": "TOOMANYREQUESTS", "message": "You have reached your limit."}]}',
    500: b'',
}


class SpoilingProxy:
    """Before a registry: answers as `spoil` says, and otherwise passes on what the registry does.

    spoil(method, path) gives a status to answer with, or None. hold_after: so many bytes of a blob
    go through, then nothing until release().
    """

    def __init__(self, registry):
        self.registry = registry
        self.spoil = lambda method, path: None
        self.asked = []
        self.hold_after = None
        self.holding = threading.Event()
        self.released = threading.Event()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def answer(self):
                proxy.answer(self)

            do_GET = do_HEAD = answer

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler):
        self.asked.append((handler.command, handler.path))
        status = self.spoil(handler.command, handler.path)
        if status:
            body = SPOILT.get(status, b"<html>out of order</html>")
            handler.send_response(status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            if handler.command != "HEAD":
                handler.wfile.write(body)
            return
        try:
            self.pass_on(handler)
        except OSError: # the registry or the engine has gone
            handler.close_connection = True

    def pass_on(self, handler):
        conn = http.client.HTTPConnection(self.registry.address, timeout=60)
        headers = {name: value for name, value in handler.headers.items() if name != "Host"}
        conn.request(handler.command, handler.path, headers=headers)
        answer = conn.getresponse()
        handler.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding"):
                handler.send_header(name, value)
        handler.send_header("Connection", "close")
        handler.end_headers()
        sent = 0
        while chunk := answer.read(16384):
            handler.wfile.write(chunk)
            sent += len(chunk)
            if self.hold_after and "/blobs/" in handler.path and sent >= self.hold_after:
                handler.wfile.flush()
                self.holding.set()
                self.released.wait(60)
        conn.close()

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


def main():
    """What every test file ends with."""
    try:
        harness.main()
    finally:
        remove_ours()

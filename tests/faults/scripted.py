# SPDX-License-Identifier: Apache-2.0
"""Nodes that do as they are told, in this process, and `ctfy platform` as one of its own: what faults are made
of that real nodes would need minutes for."""

import http.client
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

CTFY = os.environ.get("CTFY", "build/ctfy")
PATIENCE_S = 120 # a bound for what must come; nothing waits for its end


def wait_for(look, what):
    """What look() returns, once that is something."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE_S} s for {what() if callable(what) else what}")


class Gone(Exception):
    """The platform hung up, or isn't there."""


# --- A node ----------------------------------------------------------------------------------


class Node:
    """The contract in memory. It acts on what reaches it; whether its answers arrive is `way`'s matter:

    "open"   they do
    "cut"    none does, until it is open again: whoever asked has been hung up on
    "slow"   heartbeats' do after `delay_s`
    "away"   nothing reaches it, and it answers nothing: see leave()
    """

    def __init__(self):
        self.lock = threading.Condition()
        self.live = {}     # id: the spec it was started with
        self.specs = {}    # likewise, of all there ever were
        self.done = []     # (method, id) of what it acted on, in this order
        self.faults = []   # what no platform may ask for
        self.way, self.delay_s = "open", 0
        self.beats = 0
        self.denies = False # starts are refused: it has another token
        self.on_call = None # (when: "before" or "after", method, path); True: the answer is lost
        self.server, self.port = None, 0
        self.connections = set()
        self.come()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def come(self):
        handler = type("Handler", (Handler,), {"node": self})
        self.server = Server(("127.0.0.1", self.port), handler)
        self.port = self.server.server_address[1]
        self.set("open")
        threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()

    def leave(self):
        self.set("away")
        self.server.shutdown()
        self.server.server_close()
        with self.lock:
            connections = set(self.connections)
        for connection in connections:
            hang_up(connection)

    def set(self, way, delay_s=0):
        with self.lock:
            self.way, self.delay_s = way, delay_s
            self.lock.notify_all()

    def close(self):
        if self.way != "away":
            self.leave()

    def copies(self, instance_id):
        """Of an instance, whatever their number: their ids."""
        with self.lock:
            return [i for i in self.live if i == instance_id or i.startswith(instance_id + "-")]

    def start(self, spec, at_once):
        id_ = spec["instance_id"]
        with self.lock:
            self.done.append(("POST", id_))
            known = self.specs.get(id_)
            if known and known != spec:
                self.faults.append(f"'{id_}' again, and otherwise: {spec}, not {known}")
                return 409, {"detail": "another instance has this id"}
            if known and id_ not in self.live:
                return 200, {"instance_id": id_, "status": "stopped", "endpoints": [], "services": []}
            self.specs[id_] = self.live[id_] = spec
            self.lock.notify_all()
        return (202, {"instance_id": id_, "status": "starting"}) if not known and at_once else (201, self.row(id_))

    def row(self, id_):
        then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.specs[id_]["ttl"]))
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return {"instance_id": id_, "status": "running", "started_at": now, "expires_at": then,
                "endpoints": [{"service": "gate", "container_port": 1337, "protocol": "tcp",
                               "host": "127.0.0.1", "port": self.port, "url": None}], "services": []}

    def stop(self, id_):
        with self.lock:
            self.done.append(("DELETE", id_))
            known = self.specs.get(id_)
            self.live.pop(id_, None)
            self.lock.notify_all()
        return (204, None) if known else (404, {"detail": "never heard of it"})

    def act(self, method, path, prefer, body):
        """(status, JSON)"""
        parts = path.strip("/").split("/")[2:]
        if parts == ["health"]:
            return 200, {"status": "ok", "running": len(self.live), "capacity": 50}
        if parts[0] == "admin":
            return 200, {"rows": []}
        if method == "POST" and self.denies:
            return 401, {"detail": "the bearer token is not this node's"}
        if method == "POST":
            return self.start(body, "respond-async" in (prefer or ""))
        if method == "DELETE":
            return self.stop(parts[1])
        with self.lock:
            self.done.append((method, parts[1]))
        if parts[1] not in self.live:
            return 404, {"detail": "not here"}
        return {"container-logs": (200, {"logs": f"gate | {parts[1]}\n"}),
                "traffic": (200, {"log": {"entries": []}}),
                "health": (200, {"is_healthy": True, "services": []}),
                "status": (200, self.row(parts[1]))}.get(parts[-1], (404, {"detail": "nothing of the kind"}))

    def let_through(self, beat):
        """Whether the answer arrives."""
        with self.lock:
            if beat:
                self.beats += 1
                self.lock.notify_all()
            if beat and self.way == "slow":
                self.lock.wait_for(lambda: self.way != "slow", self.delay_s)
            if self.way == "cut":
                self.lock.wait_for(lambda: self.way != "cut", PATIENCE_S)
                return False
            return self.way != "away"


def hang_up(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """Who hung up needs no words."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    node = None

    def setup(self):
        super().setup()
        with self.node.lock:
            self.node.connections.add(self.connection)

    def finish(self):
        with self.node.lock:
            self.node.connections.discard(self.connection)
        super().finish()

    def serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        path = urlsplit(self.path).path
        beat = path.endswith("/v1/health")
        watched = self.node.on_call if not beat and "/admin/" not in path else None
        lost = bool(watched and watched("before", self.command, path))
        if not lost:
            status, answer = self.node.act(self.command, path, self.headers.get("Prefer"), body)
            lost = bool(watched and watched("after", self.command, path))
        if lost or not self.node.let_through(beat):
            self.close_connection = True
            hang_up(self.connection)
            return
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = serve

    def log_message(self, *args):
        """Tests tell what went wrong."""


# --- The platform ----------------------------------------------------------------------------


class Platform:
    """`ctfy platform` on a state directory; killed and started again at will."""

    def __init__(self, directory, like=None, heartbeat_timeout="1s", **environment):
        """like: another one, ended, whose state it begins with. The environment is its first life's."""
        self.dir = Path(directory)
        self.state, self.challenges = self.dir / "state", self.dir / "challenges"
        self.environment, self.heartbeat_timeout = environment, heartbeat_timeout
        self.port, self.process, self.lives = 0, None, 0
        self.lock = threading.Lock()
        if like:
            shutil.copytree(like.state, self.state)
            self.challenges = like.challenges
            self.users = like.users
        else:
            self.users = []
            self.write_challenge()
        self.revive()
        self.admin = (self.state / "admin-token").read_text().strip()

    def write_challenge(self):
        (self.challenges / "web").mkdir(parents=True)
        (self.challenges / "web" / "challenge.yml").write_text('name: Web\nvalue: 100\nflags: ["flag{...}"]\n')
        (self.challenges / "web" / "compose.yml").write_text(
            "services:\n  gate:\n    image: busybox\n    ports: ['1337']\n")

    def revive(self):
        """Lives again, if it was killed."""
        with self.lock:
            if self.process and self.process.poll() is None:
                return
            environment = self.environment if self.lives == 0 else {}
            self.lives += 1
            log = self.dir / f"log-{self.lives}"
            with open(log, "w") as file:
                self.process = subprocess.Popen(
                    [CTFY, "platform", "--state", self.state, "--challenges", self.challenges,
                     "--listen", f"127.0.0.1:{self.port}", "--heartbeat", "200ms",
                     "--heartbeat-timeout", self.heartbeat_timeout, "--call-timeout", "2s", "--log-format", "text"],
                    stdin=subprocess.DEVNULL, stdout=file, stderr=file, env={**os.environ, **environment})
            wait_for(lambda: self.listens(log) or self.process.poll() is not None,
                     lambda: f"a platform\n{log.read_text()}")

    def listens(self, log):
        found = re.search(r"listening on port (\d+)", log.read_text())
        self.port = int(found[1]) if found else self.port
        return found

    def kill(self):
        with self.lock:
            self.process.kill()
            self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)

    def log(self):
        return "\n".join((self.dir / f"log-{life + 1}").read_text() for life in range(self.lives))

    def call(self, method, path, body=None, token=None, **headers):
        """(status, JSON). Raises Gone."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        headers["Authorization"] = f"Bearer {token or self.admin}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, "/api/v1" + path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as why:
            raise Gone(str(why)) from why
        finally:
            connection.close()
        return answer.status, json.loads(data) if data else None

    def ask(self, method, path, body=None, **more):
        """As call(), of a platform that lives, and which has to agree: the JSON."""
        status, answer = self.call(method, path, body, **more)
        if status >= 300:
            raise AssertionError(f"{method} {path}: {status} {answer}\n{self.log()}")
        return answer

    def make_player(self, name):
        """Of a team of its own: its token is among the users'."""
        account = {"name": name, "password": secrets.token_hex(8)}
        self.ask("POST", "/users", account)
        self.users.append(self.ask("POST", "/sessions", account)["token"])
        self.ask("POST", "/teams", {"name": name}, token=self.users[-1])

    def join(self, name, node):
        secret = (self.state / "join-secret").read_text().strip()
        return self.ask("POST", "/nodes/register", {"join_secret": secret, "name": name, "url": node.url})["node_id"]

    def nodes(self):
        return {node["name"]: node["state"] for node in self.ask("GET", "/admin/nodes")["nodes"]}

    def wait_for_nodes(self, **states):
        wait_for(lambda: self.nodes() == states, lambda: f"{states}: {self.nodes()}\n{self.log()}")

    def instances(self):
        """All there ever were."""
        return self.ask("GET", "/admin/instances?all=true")["instances"]

    def archives(self):
        return self.ask("GET", "/admin/archives")["archives"]


def temporary(test):
    """A directory that goes with the test."""
    directory = tempfile.TemporaryDirectory(prefix="ctfy-faults-")
    test.addCleanup(directory.cleanup)
    return Path(directory.name)

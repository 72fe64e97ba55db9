# SPDX-License-Identifier: Apache-2.0
"""What the node's tests stand on: a node as a process, its API, and the engine behind its back.

The tests speak the contract as any client would, and look at the engine through its own socket to
see whether what the node says is true. The daemon is build/ctfy, or what the environment's CTFY
names. Where no engine answers the tests skip (77), except in CI, where they fail.

Every instance id begins with a prefix of this process, so that tests of several people can share
an engine; what carries the label of a node that was started here is removed at the end.
"""

import glob
import hashlib
import http.client
import ipaddress
import json
import math
import os
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

HERE = os.path.dirname(os.path.abspath(__file__))
CTFY = os.environ.get("CTFY") or os.path.join(HERE, "../../build/ctfy")
CHALLENGES = os.path.join(HERE, "challenges")
PREFIX = "nt" + secrets.token_hex(3)
RFC3339_UTC = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$")

# Label names as docs/ARCHITECTURE.md has them.
LABEL_NODE = "ctfy.node"
LABEL_INSTANCE = "ctfy.instance"
LABEL_CHALLENGE = "ctfy.challenge"
LABEL_POOL = "ctfy.pool" # an empty network, kept ready for an instance to come
LABEL_BUILDS = "ctfy.builds" # where builds take place
LABEL_PROJECT = "com.docker.compose.project"
LABEL_SERVICE = "com.docker.compose.service"

_nodes = []
_closed = []


# --- The engine ------------------------------------------------------------------------------


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("engine", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class EngineError(Exception):
    pass


class Engine:
    """The Docker Engine API, seen without the node."""

    def __init__(self):
        host = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
        if not host.startswith("unix://"):
            raise EngineError(f"the tests need an engine on a unix socket, not '{host}'")
        self.socket = host[len("unix://"):]

    def call(self, method, path, body=None, timeout=60):
        conn = UnixConnection(self.socket, timeout)
        try:
            data = None if body is None else json.dumps(body)
            conn.request(method, path, data, {"Content-Type": "application/json"})
            answer = conn.getresponse()
            return answer.status, answer.read()
        finally:
            conn.close()

    def json(self, method, path, body=None):
        status, data = self.call(method, path, body)
        if status >= 400:
            raise EngineError(f"{method} {path}: {status} {data.decode(errors='replace').strip()}")
        return json.loads(data) if data else None

    def answers(self):
        try:
            return self.call("GET", "/_ping", timeout=10)[0] == 200
        except OSError:
            return False

    def inspect(self, container):
        return self.json("GET", f"/containers/{container}/json")

    def objects(self, label):
        """{kind: {name: labels}} of everything that carries label ("key" or "key=value")."""
        filters = urllib.parse.quote(json.dumps({"label": [label]}))
        containers = self.json("GET", f"/containers/json?all=1&filters={filters}")
        networks = self.json("GET", f"/networks?filters={filters}")
        volumes = self.json("GET", f"/volumes?filters={filters}")["Volumes"] or []
        return {
            "container": {c["Id"]: c["Labels"] for c in containers},
            "network": {n["Id"]: n["Labels"] for n in networks},
            "volume": {v["Name"]: v["Labels"] for v in volumes},
        }

    def remove(self, objects):
        for container in objects["container"]:
            self.call("DELETE", f"/containers/{container}?force=1&v=1")
        for network in objects["network"]:
            self.call("DELETE", f"/networks/{network}")
        for volume in objects["volume"]:
            self.call("DELETE", f"/volumes/{volume}?force=1")

    def exec(self, container, argv, timeout=60):
        """Runs argv in the container; (exit code, what it wrote)."""
        made = self.json("POST", f"/containers/{container}/exec",
                         {"Cmd": argv, "AttachStdout": True, "AttachStderr": True})
        _, stream = self.call("POST", f"/exec/{made['Id']}/start", {"Detach": False}, timeout)
        text = b""
        while len(stream) >= 8: # frames: kind, 0, 0, 0, size
            size = int.from_bytes(stream[4:8], "big")
            text += stream[8:8 + size]
            stream = stream[8 + size:]
        code = self.json("GET", f"/exec/{made['Id']}/json")["ExitCode"]
        return code, text.decode(errors="replace")

    def run(self, name, image, argv, **host_config):
        """A container outside of any node; its caller removes it by what is returned."""
        made = self.json("POST", f"/containers/create?name={name}",
                         {"Image": image, "Cmd": argv,
                          "HostConfig": {"Init": True, **host_config}})
        self.json("POST", f"/containers/{made['Id']}/start")
        return made["Id"]


engine = Engine()


class EngineProxy:
    """The engine behind a socket that the test rules: cut it, hold a call back, refuse it, count.

    Calls are told apart by the first chunk a client sends, which is enough for clients that do not
    pipeline. Patterns are matched against "METHOD /path".
    """

    LINE = re.compile(rb"^(GET|HEAD|POST|PUT|DELETE) (\S+) HTTP/1\.[01]\r\n")

    def __init__(self, directory):
        self.path = os.path.join(directory, f"engine-{secrets.token_hex(3)}.sock")
        self.lock = threading.Lock()
        self.sockets = set()
        self.gate = None # (pattern, event that opens it)
        self.held = threading.Semaphore(0)
        self.refusals = [] # (pattern, status, message, how many times)
        self.on_call = None
        self.calls = []
        self.listener = None
        self.restore()

    @property
    def url(self):
        return "unix://" + self.path

    def restore(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(128)
        threading.Thread(target=self._accept, args=[self.listener], daemon=True).start()

    def cut(self):
        """From now on the engine's socket is not there, and who was connected is thrown out."""
        os.unlink(self.path)
        self._hang_up(self.listener)
        with self.lock:
            victims, self.sockets = self.sockets, set()
        for victim in victims:
            self._hang_up(victim)

    def hold(self, pattern):
        """Calls that match wait, until release()."""
        self.held = threading.Semaphore(0)
        self.gate = (re.compile(pattern), threading.Event())

    def wait_held(self, seconds=20):
        if not self.held.acquire(timeout=seconds):
            raise AssertionError(f"no engine call was held within {seconds} s; seen: {self.calls[-8:]}")

    def release(self):
        gate, self.gate = self.gate, None
        if gate:
            gate[1].set()

    def refuse(self, pattern, status, message, times=1):
        with self.lock:
            self.refusals.append([re.compile(pattern), status, message, times])

    def close(self):
        self.release()
        if os.path.exists(self.path):
            self.cut()

    @staticmethod
    def _hang_up(sock):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        sock.close()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client):
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(engine.socket)
        except OSError:
            client.close()
            return
        with self.lock:
            self.sockets |= {client, server}
        threading.Thread(target=self._pump, args=[server, client], daemon=True).start()
        try:
            while chunk := client.recv(65536):
                if self._refused(chunk, client):
                    break
                server.sendall(chunk)
            server.shutdown(socket.SHUT_WR)
        except OSError:
            self._hang_up(server)
            self._hang_up(client)

    def _pump(self, server, client):
        try:
            while chunk := server.recv(65536):
                client.sendall(chunk)
        except OSError:
            pass
        with self.lock:
            self.sockets -= {client, server}
        self._hang_up(client)
        self._hang_up(server)

    def _refused(self, chunk, client):
        line = self.LINE.match(chunk)
        if not line:
            return False
        call = line[1].decode() + " " + line[2].decode()
        with self.lock:
            self.calls.append(call)
            count = len(self.calls)
        if self.on_call:
            self.on_call(call, count)
        gate = self.gate
        if gate and gate[0].search(call):
            self.held.release()
            gate[1].wait(60)
        with self.lock:
            refusal = next((r for r in self.refusals if r[0].search(call) and r[3] > 0), None)
            if refusal:
                refusal[3] -= 1
        if not refusal:
            return False
        body = json.dumps({"message": refusal[2]}).encode()
        client.sendall(b"HTTP/1.1 %d Refused\r\nContent-Type: application/json\r\n"
                       b"Connection: close\r\nContent-Length: %d\r\n\r\n%s"
                       % (refusal[1], len(body), body))
        self._hear_out(client)
        return True

    @staticmethod
    def _hear_out(client):
        """Who is cut off while it still sends may never read the answer."""
        client.shutdown(socket.SHUT_WR)
        client.settimeout(10)
        while client.recv(65536):
            pass


# --- The node --------------------------------------------------------------------------------


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body.decode("utf-8"))

    @property
    def detail(self):
        """The detail as text, whatever its shape; the body where there is none."""
        try:
            detail = self.json["detail"]
        except (ValueError, KeyError, TypeError):
            return self.body.decode(errors="replace")
        return detail if isinstance(detail, str) else json.dumps(detail)

    def __repr__(self):
        return f"<{self.status} {self.body[:600].decode(errors='replace')}>"


def free_subnets():
    """A /20 that the engine does not use at the moment, and no node by default."""
    used = [ipaddress.ip_network(config["Subnet"])
            for network in engine.json("GET", "/networks")
            for config in (network["IPAM"].get("Config") or []) if "Subnet" in config]
    while True:
        base = ipaddress.ip_network(f"10.{random.randint(192, 249)}.{16 * random.randint(0, 15)}.0/20")
        if not any(base.overlaps(other) for other in used if other.version == 4):
            return str(base)


def free_ports(count=100):
    """A range of ports outside of what the kernel hands out, all of them free at the moment."""
    while True:
        first = random.randint(10000, 31000)
        if all(port_is_free(port) for port in range(first, first + count)):
            return first, first + count - 1


def labels_within(subnets):
    """{"ctfy.node=..."} of whoever has networks there."""
    base = ipaddress.ip_network(subnets)
    found = set()
    for network in engine.json("GET", "/networks"):
        for config in network["IPAM"].get("Config") or []:
            subnet = ipaddress.ip_network(config.get("Subnet", "::/0"))
            if LABEL_NODE in network["Labels"] and subnet.version == 4 and subnet.subnet_of(base):
                found.add(f"{LABEL_NODE}={network['Labels'][LABEL_NODE]}")
    return found


def is_process(pid, word):
    """Whether there is one of that id, with that word in its command line."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return word.encode() in file.read()
    except OSError:
        return False


def sweep_the_dead():
    """Removes what tests left behind that were killed before they could: their nodes, too."""
    for directory in glob.glob(os.path.join(tempfile.gettempdir(), "ctfy-node-test-*")):
        try:
            with open(os.path.join(directory, "owner")) as file:
                owner = json.load(file)
        except (OSError, ValueError):
            continue # not a node's, or not there yet
        if is_process(owner["test"], ""):
            continue
        if is_process(owner["node"], directory):
            os.kill(owner["node"], signal.SIGKILL)
        for label in labels_within(owner["subnets"]):
            engine.remove(engine.objects(label))
        shutil.rmtree(directory, ignore_errors=True)


def port_is_free(port):
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def new_id(word="i"):
    return f"{PREFIX}-{word}-{secrets.token_hex(3)}"


class Node:
    """One node daemon with folders of its own: started here, killed at will, cleaned up by close()."""

    def __init__(self, listen="127.0.0.1", challenges=CHALLENGES, ports=None, subnets=None,
                 engine_url=None, bind="127.0.0.1", public_host="127.0.0.1", start=True, within=(),
                 **options):
        self.dir = tempfile.mkdtemp(prefix="ctfy-node-test-")
        self.process = None
        self.challenges = os.path.join(self.dir, "challenges")
        self.state = os.path.join(self.dir, "state")
        self.evidence = os.path.join(self.dir, "evidence")
        os.mkdir(self.state)
        os.mkdir(self.evidence)
        shutil.copytree(challenges, self.challenges, symlinks=True)
        self.token = secrets.token_hex(16)
        self.token_file = os.path.join(self.dir, "token")
        with open(os.open(self.token_file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(self.token + "\n")
        self.ports = ports or free_ports()
        self.listen = listen
        self.within = within # a command that runs commands, in a namespace say
        self.port = 0
        self.public_host = public_host
        self.options = {
            "challenges": self.challenges, "state": self.state, "evidence": self.evidence,
            "token-file": self.token_file, "bind": bind, "public-host": public_host,
            "ports": "%d-%d" % self.ports, "subnets": subnets or free_subnets(),
            "ready-networks": "0", # each is made and removed again: only where that is the point
            **{name.replace("_", "-"): str(value) for name, value in options.items()},
        }
        if engine_url:
            self.options["engine"] = engine_url
        self._sign()
        self.log_path = os.path.join(self.dir, "log")
        self.log_file = open(self.log_path, "ab")
        self.labels = set() # "ctfy.node=..." of what it made; one
        self.ids = set() # of instances it was asked for
        _nodes.append(self)
        if start:
            self.start()

    # Its life

    def start(self):
        argv = [*self.within, CTFY, "node", "--listen", f"{self.listen}:{self.port}"]
        for name, value in self.options.items():
            argv += ["--" + name] if value is None else ["--" + name, value] # None: a flag
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        stdout=self.log_file)
        self._sign()
        ready, self.listens = threading.Event(), False
        self.reader = threading.Thread(target=self._read, args=[self.process.stderr, ready], daemon=True)
        self.reader.start()
        if not ready.wait(30) or not self.listens:
            raise AssertionError(f"the node did not say 'listening on port N' within 30 s\n{self.log()}")
        return self

    def _sign(self):
        """Leaves word for sweep_the_dead(), should this process be killed."""
        with open(os.path.join(self.dir, "owner"), "w") as file:
            json.dump({"test": os.getpid(), "node": getattr(self.process, "pid", 0),
                       "subnets": self.options["subnets"]}, file)

    def _read(self, pipe, ready):
        for line in pipe:
            self.log_file.write(line)
            self.log_file.flush()
            found = re.search(rb"listening on port (\d+)", line)
            if found:
                self.port, self.listens = int(found[1]), True # the same port after a restart
                ready.set()
        pipe.close()
        ready.set()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()

    def terminate(self, seconds=30):
        """SIGTERM; the exit status."""
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the node was still there {seconds} s after SIGTERM\n{self.log()}")
        self.reader.join()
        return self.process.returncode

    def restart(self):
        self.kill()
        return self.start()

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def close(self):
        """Stops everything, and removes whatever is left. The exit status after SIGTERM, or None."""
        status = None
        try:
            self.learn_labels()
            if self.is_alive():
                self.call("POST", "/admin/stop-all", timeout=60)
                status = self.terminate()
        finally:
            if self.is_alive():
                self.kill()
            self.sweep()
            shutil.rmtree(self.dir, ignore_errors=True)
            _nodes.remove(self)
            _closed.append(self)
        return status

    def sweep(self):
        """Removes what is left of it, above all the networks that it kept ready."""
        self.learn_labels()
        for label in self.labels:
            engine.remove(engine.objects(label))

    def log(self, lines=60):
        with open(self.log_path, errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    # What it made

    def learn_labels(self):
        """Which ctfy.node values are this node's: those at its instances, and in its subnets."""
        for objects in engine.objects(LABEL_NODE).values():
            for labels in objects.values():
                if labels.get(LABEL_INSTANCE) in self.ids:
                    self.labels.add(f"{LABEL_NODE}={labels[LABEL_NODE]}")
        self.labels |= labels_within(self.options["subnets"])

    def label(self):
        """'ctfy.node=...' of this node; it must have an instance running."""
        self.learn_labels()
        if len(self.labels) != 1:
            raise AssertionError(f"objects of one node carry the labels {sorted(self.labels)}")
        return next(iter(self.labels))

    def made(self, instance_id):
        return engine.objects(f"{LABEL_INSTANCE}={instance_id}")

    def containers(self, instance_id):
        """{service: inspected container} as the engine knows them."""
        inspected = [engine.inspect(c) for c in self.made(instance_id)["container"]]
        return {c["Config"]["Labels"].get(LABEL_SERVICE, c["Name"]): c for c in inspected}

    def directories(self):
        """Directories below the state's: what a failed start may not add to."""
        return {os.path.relpath(os.path.join(parent, name), self.state)
                for parent, names, _ in os.walk(self.state) for name in names}

    # Its API

    def request(self, method, path, body=None, headers=None, timeout=60, token=...):
        """The path is sent as it stands."""
        conn = http.client.HTTPConnection(self.listen, self.port, timeout=timeout)
        try:
            all_headers = {}
            if token is ...:
                token = self.token
            if token is not None:
                all_headers["Authorization"] = f"Bearer {token}"
            if body is not None and not isinstance(body, bytes):
                body = json.dumps(body).encode()
            if body is not None:
                all_headers["Content-Type"] = "application/json"
            conn.request(method, path, body, {**all_headers, **(headers or {})})
            answer = conn.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            conn.close()

    def call(self, method, path, body=None, **more):
        return self.request(method, "/api/v1" + path, body, **more)

    def spec(self, challenge, **more):
        spec = {"challenge_id": challenge, "instance_id": new_id(challenge), "ttl": 600,
                "answers": {"flag": "flag{" + secrets.token_hex(8) + "}"}}
        spec.update(more)
        if isinstance(spec["instance_id"], str):
            self.ids.add(spec["instance_id"])
        return spec

    def post(self, spec, respond_async=False, timeout=90):
        headers = {"Prefer": "respond-async"} if respond_async else {}
        return self.call("POST", "/instances", spec, headers=headers, timeout=timeout)

    def begin(self, challenge, **more):
        """Starts an instance, which must succeed; (its row, its spec)."""
        spec = self.spec(challenge, **more)
        reply = self.post(spec)
        if reply.status != 201:
            raise AssertionError(f"starting '{challenge}' gave {reply}")
        return reply.json, spec

    def wait_for_end_of_another(self, row):
        """One whose time ends after the row's has ended for that: who was to be ended before it, was."""
        left = max(0, instant(row["expires_at"]) - time.time())
        other, _ = self.begin(row["challenge_id"], ttl=math.ceil(left) + 1)
        wait_for(lambda: self.state_of(other["instance_id"]) == "expired", left + 60, "another's end")

    def stop(self, instance_id, timeout=60):
        return self.call("DELETE", f"/instances/{instance_id}", timeout=timeout)

    def status(self, instance_id):
        return self.call("GET", f"/instances/{instance_id}/status")

    def state_of(self, instance_id):
        """The status word, or '404'."""
        reply = self.status(instance_id)
        if reply.status == 404:
            return "404"
        if reply.status != 200:
            raise AssertionError(f"GET status gave {reply}")
        return reply.json["status"]

    def health(self, instance_id):
        reply = self.call("GET", f"/instances/{instance_id}/health")
        if reply.status != 200:
            raise AssertionError(f"GET health gave {reply}")
        return reply.json

    def running(self):
        return self.call("GET", "/health").json["running"]


# --- Small things ----------------------------------------------------------------------------


def wait_for(condition, seconds, what):
    """The condition's first true value; fails after so many seconds. what: text, or makes it."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.05)


def instant(text):
    """Seconds, of a time as the node writes it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def parallel(functions):
    """Runs all of them at once; their results, in order."""
    with ThreadPoolExecutor(max(1, len(functions))) as pool:
        return [job.result() for job in [pool.submit(f) for f in functions]]


def background(function, *args):
    """A thread that keeps what the function returned: .join_result()."""
    job = ThreadPoolExecutor(1).submit(function, *args)
    return job


def fetch(host, port, path="/", timeout=5):
    """What a web server at host:port says."""
    conn = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        conn.request("GET", path)
        return conn.getresponse().read().decode()
    finally:
        conn.close()


def fetch_soon(host, port, path="/", seconds=10):
    """Like fetch(), for a server that may still be starting."""
    def attempt():
        try:
            return fetch(host, port, path) or None
        except (OSError, http.client.HTTPException):
            return None
    return wait_for(attempt, seconds, f"an answer of {host}:{port}")


def is_sanitized():
    """Whether the daemon was built with AddressSanitizer: then memory tells nothing."""
    with open(CTFY, "rb") as file:
        return b"libasan.so" in file.read()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class NodeTest(unittest.TestCase):
    """Assertions that several files share."""

    longMessage = True

    def assertStatus(self, reply, *statuses):
        self.assertIn(reply.status, statuses, reply)
        return reply

    def assertError(self, reply, *statuses):
        """An error as the contract has it: JSON with a detail that says something."""
        self.assertStatus(reply, *statuses)
        self.assertIn("application/json", reply.headers.get("Content-Type") or "", reply)
        detail = reply.json.get("detail")
        self.assertTrue(detail, f"no detail in {reply}")
        return reply

    def assertTime(self, text):
        self.assertRegex(text, RFC3339_UTC)

    def assertNothing(self, look, seconds):
        nothing = {"container": {}, "network": {}, "volume": {}}
        if seconds:
            wait_for(lambda: look() == nothing, seconds, lambda: f"gone; left is {look()}")
        self.assertEqual(look(), nothing)

    def assertGone(self, node, instance_id, seconds=0):
        """The engine has nothing of the instance (any more, within so many seconds)."""
        self.assertNothing(lambda: node.made(instance_id), seconds)

    def assertNothingLeft(self, label, seconds=0):
        """No container or volume of the node that the label names, and no network but empty ones
        that it keeps ready."""
        def left():
            objects = engine.objects(label)
            for network, labels in list(objects["network"].items()):
                status, data = engine.call("GET", f"/networks/{network}")
                ready = (LABEL_POOL in labels or LABEL_BUILDS in labels) and LABEL_INSTANCE not in labels
                if status == 404 or (ready and not json.loads(data)["Containers"]):
                    del objects["network"][network]
            return objects
        self.assertNothing(left, seconds)

    def assertRunning(self, node, instance_id, services=1):
        """The node says so, and so does the engine."""
        self.assertEqual(node.state_of(instance_id), "running")
        states = {name: c["State"]["Status"] for name, c in node.containers(instance_id).items()}
        self.assertEqual(list(states.values()), ["running"] * services, states)


def require_engine():
    if not os.access(CTFY, os.X_OK):
        sys.exit(f"no daemon at '{CTFY}': build it, or name it by the environment's CTFY")
    problem = None
    if not engine.answers():
        problem = f"no engine answers at {engine.socket}; run: tools/engine.sh"
    elif any(engine.call("GET", f"/images/{image}/json")[0] != 200
             for image in ["ctfy/busybox", "debian:bookworm-slim"]):
        problem = "images are missing; run: tools/base-image.sh"
    if problem and os.environ.get("CI"):
        sys.exit(problem)
    if problem:
        print(f"skipped: {problem}")
        sys.exit(77)
    sweep_the_dead()


def close_all():
    """Closes what tests left open; whether every node ended as it should."""
    fine = True
    for node in list(_nodes):
        try:
            status = node.close()
        except (AssertionError, OSError, EngineError) as error:
            print(f"closing a node: {error}", file=sys.stderr)
            fine = False
            continue
        if status not in (0, None):
            print(f"a node ended with status {status} after SIGTERM", file=sys.stderr)
            fine = False
    for node in _closed: # what the engine was still at when the node was killed
        node.sweep()
    return fine


class TimedResult(unittest.TextTestResult):
    """Says how long each test took, and on a failure what the nodes logged last."""

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        unittest.TestResult.addSuccess(self, test)
        self.stream.writeln(f"ok ({time.monotonic() - self.began:.1f} s)")
        self.stream.flush()

    def _tell_logs(self):
        for node in _nodes[-2:]:
            self.stream.writeln(f"--- the log of the node on port {node.port}")
            for line in node.log(8).splitlines():
                self.stream.writeln(line[:400])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._tell_logs()

    def addError(self, test, err):
        super().addError(test, err)
        self._tell_logs()


def main():
    """What every test file ends with."""
    require_engine()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1)) # so that a timeout cleans up too
    ok = False
    try:
        runner = unittest.TextTestRunner(verbosity=2, descriptions=False, resultclass=TimedResult)
        ok = unittest.main(exit=False, testRunner=runner).result.wasSuccessful()
    finally:
        ok = close_all() and ok
    sys.exit(0 if ok else 1)

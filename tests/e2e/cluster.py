# SPDX-License-Identifier: Apache-2.0
"""What tests of a platform with several nodes stand on: `ctfy platform` as a process, and the harness's
nodes joined to it. Those of one machine share its engine, each with subnets and ports of its own."""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "node"))
sys.path.insert(0, str(HERE.parent / "evidence"))
sys.dont_write_bytecode = True

import harness  # noqa: E402


class Platform:
    """`ctfy platform` with a state directory of its own; killed and started again at will."""

    def __init__(self, challenges, within=(), **options):
        self.dir = tempfile.TemporaryDirectory(prefix="ctfy-cluster-")
        self.state = Path(self.dir.name) / "state"
        self.within = within # a command that runs commands
        self.port = 0
        self.options = {"challenges": challenges, "state": self.state, "heartbeat": "1s",
                        "heartbeat-timeout": "2s", **options}
        self.nodes = {}
        self.start()
        self.admin = (self.state / "admin-token").read_text().strip()

    def start(self):
        self.log = open(Path(self.dir.name) / "log", "a")
        argv = [*self.within, harness.CTFY, "platform", "--listen", f"127.0.0.1:{self.port}", "--log-format", "text"]
        for name, value in self.options.items():
            argv += ["--" + name, str(value)]
        lines = len(self.lines())
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.port = harness.wait_for(lambda: self._port(lines), 60, lambda: f"a platform\n{self.tail()}")

    def lines(self):
        return Path(self.log.name).read_text().splitlines()

    def _port(self, after):
        found = re.search(r"listening on port (\d+)", "\n".join(self.lines()[after:]))
        return found and int(found[1])

    def tail(self):
        return "\n".join(self.lines()[-30:])

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)
        self.log.close()
        self.dir.cleanup()

    def call(self, method, path, body=None, token=None, timeout=120, root="/api/v1", **headers):
        conn = harness.http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            headers["Authorization"] = f"Bearer {token or self.admin}"
            if body is not None:
                headers["Content-Type"] = "application/json"
                body = json.dumps(body)
            conn.request(method, root + path, body, headers)
            answer = conn.getresponse()
            return harness.Reply(answer.status, answer.headers, answer.read())
        finally:
            conn.close()

    def ask(self, method, path, *args, **more):
        """As call(), which has to succeed: the JSON."""
        reply = self.call(method, path, *args, **more)
        if reply.status >= 300:
            raise AssertionError(f"{method} {path}: {reply}\n{self.tail()}")
        return reply.json if reply.body else None

    # Nodes

    def join(self, name, node, wait=True):
        """Registers a node and gives it the token that it got."""
        secret = (self.state / "join-secret").read_text().strip()
        told = self.ask("POST", "/nodes/register", {"join_secret": secret, "name": name,
                                                    "url": f"http://{node.listen}:{node.port}"})
        self.nodes[name] = told["node_id"]
        self.give_token(node, told["token"])
        if wait:
            self.wait_for_state(name, "healthy")

    @staticmethod
    def give_token(node, token):
        node.token = token
        Path(node.token_file).write_text(token + "\n")
        node.process.send_signal(signal.SIGHUP)

    def node(self, name):
        return self.ask("GET", f"/admin/nodes/{self.nodes[name]}")

    def wait_for_state(self, name, state, seconds=60):
        harness.wait_for(lambda: self.node(name)["state"] == state, seconds,
                         lambda: f"{name} {state}: {self.node(name)}")

    def instances(self):
        return self.ask("GET", "/admin/instances")["instances"]


class Team:
    """One player and the team they made."""

    def __init__(self, platform, name):
        self.platform, self.name = platform, name
        account = {"name": f"{name}-player", "password": secrets.token_hex(12)}
        platform.ask("POST", "/users", account)
        self.token = platform.ask("POST", "/sessions", account)["token"]
        self.ask("POST", "/teams", {"name": name})

    def call(self, method, path, body=None, **more):
        return self.platform.call(method, path, body, token=self.token, **more)

    def ask(self, method, path, body=None, **more):
        return self.platform.ask(method, path, body, token=self.token, **more)

    def start(self, challenge, seconds=500):
        """Starts it, however long the first build of an image takes; the row."""
        reply = self.call("POST", f"/challenges/{challenge}/instance")
        if reply.status not in (200, 201, 202):
            raise AssertionError(f"starting '{challenge}': {reply}\n{self.platform.tail()}")
        return self.wait_for(challenge, "running", seconds)

    def instance(self, challenge, check=False):
        return self.ask("GET", f"/challenges/{challenge}/instance{'?check=true' if check else ''}")

    def wait_for(self, challenge, status, seconds=120):
        def look():
            row = self.instance(challenge)
            if row["status"] == "failed" != status:
                raise AssertionError(f"it failed: {row}\n{self.platform.tail()}")
            return row["status"] == status and row
        return harness.wait_for(look, seconds, lambda: f"'{challenge}' {status}: "
                                f"{self.instance(challenge)}\n{self.platform.tail()}")

    def stop(self, challenge):
        self.call("DELETE", f"/challenges/{challenge}/instance")
        return self.wait_for(challenge, "stopped")


def page(row):
    """What the instance's first endpoint serves."""
    endpoint = row["endpoints"][0]
    return harness.fetch_soon(endpoint["host"], endpoint["port"], seconds=30)


def kill_process(node, number):
    os.kill(node.process.pid, number)

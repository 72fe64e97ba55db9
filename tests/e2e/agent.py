#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`ctfy agent run`: an agent on an instance's network, by platform and node, that fetches what it came for,
is recorded, and hands in its answer with a token that is good for that and nothing else."""

import json
import os
import signal
import subprocess
import unittest
import urllib.parse

import cluster
import bundle
import evidence
from cluster import Platform, Team, harness
from harness import engine, wait_for

# What an agent does that looks for more than it may.
SUBMIT = """
import json, os, socket, sys, urllib.error, urllib.request
url, token = os.environ["CTFY_URL"], os.environ["CTFY_TOKEN"]

def ask(path, body=None, method=None, token=token):
    request = urllib.request.Request(url + "/api/v1" + path, json.dumps(body).encode() if body else None,
                                     {"Authorization": "Bearer " + token, "Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as failure:
        return failure.code, None

def reach(port):
    gateway = [l.split() for l in open("/proc/net/route")][1:]
    address = socket.inet_ntoa(bytes.fromhex([w[2] for w in gateway if w[2] != "00000000"][0])[::-1])
    try:
        socket.create_connection((address, port), 2)
        return "open"
    except OSError:
        return "closed"

status, challenge = ask("/challenges/recorded")
print(json.dumps({
    "url": url, "token": token, "challenge": [status, challenge and challenge["id"]],
    "without": ask("/me", token="guessed")[0],
    "others": [ask(path)[0] for path in ("/challenges", "/admin/instances", "/team")] + [ask("/me", method="DELETE")[0]],
    "direct": reach(int(sys.argv[2])),
    "submission": [(told := ask("/challenges/recorded/submissions", {"answer": sys.argv[1]}))[0], told[1] and told[1]["verdict"]]}))
"""

platform = None
node = None
team = None
row = None
flag = None


def setUpModule():
    global platform, node, team, row, flag
    platform = Platform(evidence.CHALLENGES)
    unittest.addModuleCleanup(platform.close)
    node = evidence.new_node()
    platform.join("n1", node)
    team = Team(platform, "machines")
    row = team.start("recorded")
    node.ids.add(row["id"])
    endpoint = row["endpoints"][0]
    flag = harness.fetch_soon(endpoint["host"], endpoint["port"], "/flag", seconds=60)


def make_image():
    """An agent's image: Python, as the recorder's has it; its name."""
    name = f"{harness.PREFIX}/agent"
    blank = engine.json("POST", "/containers/create", {"Image": "ctfy/recorder"})["Id"]
    change = urllib.parse.quote('ENTRYPOINT ["python3"]')
    engine.json("POST", f"/commit?container={blank}&repo={name}&changes={change}", {})
    engine.call("DELETE", f"/containers/{blank}")
    unittest.addModuleCleanup(engine.call, "DELETE", f"/images/{name}?force=1")
    return name


def argv(*words, token=None):
    return [harness.CTFY, "agent", "run", row["id"], "--url", f"http://127.0.0.1:{platform.port}",
            "--token-file", token or str(platform.state / "admin-token"), *words]


def run(*words, **more):
    return subprocess.run(argv(*words, **more), capture_output=True, timeout=300)


class Agent(harness.NodeTest):
    def test_it_is_run_told_and_recorded(self):
        code = ("import sys, urllib.request\n"
                "print(urllib.request.urlopen('https://web:8443/flag?by=agent', timeout=20).read().decode())\n"
                "print('done', file=sys.stderr)\n"
                "sys.exit(9)")
        done = run("--", make_image(), "-c", code)
        self.assertEqual((done.returncode, done.stdout.decode(), done.stderr), (9, flag + "\n", b"done\n"))
        flows = platform.ask("GET", f"/admin/instances/{row['id']}/traffic")["flows"]
        flow, = [f for f in flows if "by=agent" in f["request"]["url"]]
        self.assertEqual((flow["via"], flow["response"]["body"]["text"]), ("proxy", flag))

    def test_bytes_come_as_they_are_and_environment_goes_in(self):
        path = f"{platform.dir.name}/env"
        with open(path, "w") as file:
            file.write("# what it is told\nWHO=a=b c\n")
        done = run("--env-file", path, "--", "ctfy/busybox", "sh", "-c", 'printf "%s ä" "$WHO"')
        self.assertEqual((done.returncode, done.stdout.decode()), (0, "a=b c ä"))

    def test_its_only_way_out_is_to_submit_for_this_instance(self):
        platform.ask("PATCH", f"/admin/users/{team.ask('GET', '/me')['id']}", {"role": "organiser"})
        path = f"{platform.dir.name}/token"
        with open(path, "w") as file:
            file.write(team.token)
        done = run("--submit", "--", make_image(), "-c", SUBMIT, flag, str(platform.port), token=path)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        told = json.loads(done.stdout)
        self.assertEqual(told["challenge"], [200, "recorded"])
        self.assertEqual(told["submission"], [201, "correct"])
        self.assertEqual(told["others"], [404, 404, 404, 405])
        self.assertEqual(told["without"], 401)
        self.assertEqual(told["direct"], "closed")
        self.assertError(platform.call("GET", "/me", token=told["token"]), 401)
        self.assertEqual([labels["ctfy.role"] for labels in node.made(row["id"])["container"].values()
                          if "uplink" in labels["com.docker.compose.service"]], [])
        flows = platform.ask("GET", f"/admin/instances/{row['id']}/traffic")["flows"]
        self.assertIn(f"{told['url']}/api/v1/challenges/recorded/submissions", [f["request"]["url"] for f in flows])
        asked = [e["detail"] for e in platform.ask("GET", f"/admin/instances/{row['id']}/timeline")["events"]
                 if e["event"] == "agent-asked"]
        self.assertRegex(asked[-1], "^run [a-z0-9]+: POST /api/v1/challenges/recorded/submissions: 201$")

    def test_interrupting_it_ends_the_agent(self):
        before = set(self.agents())
        process = subprocess.Popen(argv("--", "ctfy/busybox", "sh", "-c", "echo here; sleep 4321"), stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"here\n")
        mine, = set(self.agents()) - before
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        wait_for(lambda: not engine.inspect(mine)["State"]["Running"], 60, "the agent's end")

    def agents(self):
        return [c for c, labels in node.made(row["id"])["container"].items() if labels["ctfy.role"] == "agent"]

    def test_what_cannot_be_is_said(self):
        done = run("--", "ctfy/no-such-image")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"no-such-image", done.stderr)
        self.assertEqual(run("--").returncode, 2)


class Evidence(harness.NodeTest):
    """What organisers fetch of an instance from a terminal."""

    def ask(self, *words):
        return subprocess.run([harness.CTFY, "evidence", *words, "--url", f"http://127.0.0.1:{platform.port}",
                               "--token-file", str(platform.state / "admin-token")],
                              capture_output=True, text=True, cwd=platform.dir.name, timeout=300)

    def test_a_bundle_is_fetched_and_verified(self):
        done = self.ask("get", row["id"])
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, rf"^{row['id']}.tar.zst: evidence of instance '.*', made at .*: all \d+ parts are as they were")
        self.assertEqual(bundle.verify(os.path.join(platform.dir.name, f"{row['id']}.tar.zst"))[0], 0)
        named = self.ask("get", row["id"], "--output", "named", "--json")
        self.assertIn("containers.json", [part["name"] for part in json.loads(named.stdout)["parts"]])
        self.assertEqual(sorted(name for name in os.listdir(platform.dir.name) if "named" in name), ["named"])

    def test_what_cannot_be_fetched_leaves_nothing(self):
        before = os.listdir(platform.dir.name)
        done = self.ask("get", "never-known")
        self.assertEqual(done.returncode, 1)
        self.assertIn("never-known", done.stderr)
        self.assertEqual(os.listdir(platform.dir.name), before)

    def test_the_timeline_is_printed(self):
        lines = self.ask("timeline", row["id"]).stdout.splitlines()
        self.assertEqual(lines[0].split(), ["AT", "EVENT", "SERVICE", "DETAIL"])
        self.assertIn("starting", [line.split()[1] for line in lines[1:]])
        self.assertIn("starting", [e["event"] for e in json.loads(self.ask("timeline", row["id"], "--json").stdout)["events"]])


if __name__ == "__main__":
    harness.main()

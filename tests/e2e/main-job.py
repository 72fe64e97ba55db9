#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The main job, end to end: `ctfy up`, two teams, real challenges, the public API and nothing else.

Teams get instances of their own with flags of their own, the samples' solvers solve them through the
network, answers score, another team's answer is known for what it is, and a kill -9 in the middle
loses nothing that was acknowledged and leaves nothing behind.
"""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "node"))
sys.dont_write_bytecode = True

import harness  # noqa: E402

SAMPLES = ROOT / "challenges"


class Up:
    """`ctfy up` with a state directory of its own; killed and started again at will."""

    def __init__(self):
        self.dir = tempfile.TemporaryDirectory(prefix="ctfy-e2e-")
        self.subnets = harness.free_subnets()
        self.ports = "%d-%d" % harness.free_ports()
        self.url = None
        self.start()

    def start(self):
        self.out = open(Path(self.dir.name) / "out", "w+")
        self.log = open(Path(self.dir.name) / "log", "a")
        self.process = subprocess.Popen(
            [harness.CTFY, "up", "--listen", "127.0.0.1:0", "--node-listen", "127.0.0.1:0",
             "--challenges", SAMPLES, "--state", Path(self.dir.name) / "state", "--ports", self.ports,
             "--subnets", self.subnets, "--bind", "127.0.0.1"],
            stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.log, start_new_session=True)
        self.url = harness.wait_for(self._printed_url, 30, lambda: f"ctfy up's address\n{self.tail()}")

    def _printed_url(self):
        found = re.search(r"http://127\.0\.0\.1:(\d+)", Path(self.out.name).read_text())
        self.port = int(found[1]) if found else None
        return found and found[0]

    def tail(self):
        return "\n".join(Path(self.log.name).read_text().splitlines()[-30:])

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.out.close()
        self.log.close()

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(300)  # it stops all that runs, on a machine that may be busy
        self.out.close()
        self.log.close()
        self.dir.cleanup()

    def call(self, method, path, body=None, token=None, timeout=120, **headers):
        conn = harness.http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            if token:
                headers["Authorization"] = f"Bearer {token}"
            if body is not None:
                headers["Content-Type"] = "application/json"
            conn.request(method, "/api/v1" + path, None if body is None else json.dumps(body), headers)
            answer = conn.getresponse()
            return harness.Reply(answer.status, answer.headers, answer.read())
        finally:
            conn.close()


class Team:
    """One player and the team they made."""

    def __init__(self, up, name):
        self.up, self.name = up, name
        user = f"{name}-player"
        password = secrets.token_hex(12)
        self._expect(up.call("POST", "/users", {"name": user, "password": password}), 201)
        login = self._expect(up.call("POST", "/sessions", {"name": user, "password": password}), 200, 201)
        self.token = login["token"]
        self._expect(self.call("POST", "/teams", {"name": name}), 201)

    @staticmethod
    def _expect(reply, *statuses):
        if reply.status not in statuses:
            raise AssertionError(f"wanted {statuses}, got {reply}")
        return reply.json

    def call(self, method, path, body=None, **more):
        return self.up.call(method, path, body, token=self.token, **more)

    def start(self, challenge, **more):
        return self.call("POST", f"/challenges/{challenge}/instance", **more)

    def instance(self, challenge):
        reply = self.call("GET", f"/challenges/{challenge}/instance?check=true")
        return reply.json if reply.status == 200 else None

    def running(self, challenge, seconds=120):
        def look():
            row = self.instance(challenge)
            if row and row["status"] == "failed":
                raise AssertionError(f"the start failed: {row}\n{self.up.tail()}")
            return row if row and row["status"] == "running" else None
        return harness.wait_for(look, seconds, lambda: f"a running {challenge}\n{self.up.tail()}")

    def healthy(self, challenge):
        return harness.wait_for(lambda: (self.instance(challenge) or {}).get("is_healthy"), 60,
                                f"a healthy {challenge}")

    def solve(self, challenge):
        """What the sample's solver finds through the network: {question: answer}."""
        row = self.running(challenge)
        self.healthy(challenge)
        with tempfile.TemporaryDirectory() as attachments:
            listed = self.call("GET", f"/challenges/{challenge}/attachments")
            for row_ in listed.json["attachments"]:
                data = self.call("GET", f"/challenges/{challenge}/attachments/{row_['filename']}")
                (Path(attachments) / row_["filename"]).write_bytes(data.body)
            endpoints = [e["url"] or f"{e['host']}:{e['port']}" for e in row["endpoints"]]
            found = subprocess.run([SAMPLES / challenge / "solve", *endpoints], timeout=120, check=True,
                                   capture_output=True, text=True,
                                   env={**os.environ, "CTFY_ATTACHMENTS": attachments}).stdout
        return dict(line.split("=", 1) if re.match(r"\w+=", line) else ("flag", line)
                    for line in found.split())

    def submit(self, challenge, question, answer):
        return self._expect(self.call("POST", f"/challenges/{challenge}/submissions",
                                      {"question": question, "answer": answer}), 200, 201)

    def stop(self, challenge):
        return self.call("DELETE", f"/challenges/{challenge}/instance")

    def standing(self):
        board = self._expect(self.up.call("GET", "/scoreboard"), 200)
        return next(row for row in board["teams"] if row["team"] == self.name)


class MainJob(unittest.TestCase):
    def setUp(self):
        self.up = Up()
        self.addCleanup(self.up.close)

    def test_every_sample_is_started_solved_and_scored(self):
        team = Team(self.up, "rockets")
        score = 0
        for challenge in sorted(path.parent.name for path in SAMPLES.glob("*/challenge.yml")):
            with self.subTest(challenge=challenge):
                self.assertIn(team.start(challenge).status, (200, 201, 202))
                for question, answer in team.solve(challenge).items():
                    verdict = team.submit(challenge, question, answer)
                    self.assertEqual(verdict["verdict"], "correct", verdict)
                after = team.standing()["score"]
                self.assertGreater(after, score)
                score = after
                self.assertIn(team.stop(challenge).status, (200, 202, 204))

    def test_two_teams_have_flags_and_doors_of_their_own(self):
        first, second = Team(self.up, "first"), Team(self.up, "second")
        for team in (first, second):
            self.assertIn(team.start("notes-web").status, (200, 201, 202))
        theirs = second.solve("notes-web")["flag"]
        ours = first.solve("notes-web")["flag"]
        self.assertNotEqual(ours, theirs)
        ports = {team.instance("notes-web")["endpoints"][0]["port"] for team in (first, second)}
        self.assertEqual(len(ports), 2)

        verdict = first.submit("notes-web", "flag", theirs)
        self.assertNotEqual(verdict["verdict"], "correct")
        self.assertNotIn("second", json.dumps(verdict)) # whose it was is the organiser's to know
        self.assertEqual(first.standing()["score"], 0)
        self.assertEqual(first.submit("notes-web", "flag", ours)["verdict"], "correct")
        admin = (Path(self.up.dir.name) / "state/platform/admin-token").read_text().strip()
        told = self.up.call("GET", "/admin/submissions", token=admin).json["submissions"]
        foreign = [row for row in told if row["verdict"] == "foreign"]
        self.assertEqual(len(foreign), 1, told)
        self.assertEqual(foreign[0]["other_instance_id"], second.instance("notes-web")["id"])

    def test_one_team_has_one_instance_however_often_it_asks(self):
        team = Team(self.up, "eager")
        replies = harness.parallel([lambda: team.start("two-answers") for _ in range(6)])
        self.assertTrue(all(reply.status < 300 or reply.status == 409 for reply in replies), replies)
        row = team.running("two-answers")
        containers = harness.engine.objects(f"{harness.LABEL_INSTANCE}={row['id']}")["container"]
        self.assertEqual(len(containers), 1)

    def test_a_kill_loses_nothing_acknowledged(self):
        team, other = Team(self.up, "hardy"), Team(self.up, "other")
        self.assertIn(team.start("notes-web").status, (200, 201, 202))
        flag = team.solve("notes-web")["flag"]
        self.assertEqual(team.submit("notes-web", "flag", flag)["verdict"], "correct")
        accepted = other.start("two-answers", Prefer="respond-async")
        self.assertLess(accepted.status, 300, accepted)
        before = team.instance("notes-web")

        self.up.kill()
        self.up.start()

        self.assertEqual(team.standing()["score"], 100)
        after = team.running("notes-web")
        self.assertEqual(after["endpoints"], before["endpoints"])
        self.assertEqual(team.solve("notes-web")["flag"], flag)
        other.running("two-answers")
        self.assertEqual(set(other.solve("two-answers")), {"user", "admin"})

    def test_the_end_of_up_leaves_nothing(self):
        team = Team(self.up, "last")
        self.assertIn(team.start("notes-web").status, (200, 201, 202))
        row = team.running("notes-web")
        self.up.process.send_signal(signal.SIGINT)
        self.assertEqual(self.up.process.wait(60), 0, self.up.tail())
        left = harness.engine.objects(f"{harness.LABEL_INSTANCE}={row['id']}")
        self.assertEqual(sum(map(len, left.values())), 0, left)


if __name__ == "__main__":
    harness.require_engine()
    unittest.main(verbosity=2)

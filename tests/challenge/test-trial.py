#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`ctfy challenge test` on a real engine: it tells who solved what, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "node"))
sys.dont_write_bytecode = True

import harness  # noqa: E402
from harness import engine  # noqa: E402

SAMPLES = HERE.parents[1] / "challenges"

SPEC = """\
name: Door
health_deadline: 60s
questions:
  - {id: flag, text: What?, answer: 'flag{...}'}
  - {id: year, text: When?, answer: {regex: '19[0-9]{2}'}}
"""

# busybox's nc serves one caller after the other.
COMPOSE = """\
services:
  door:
    image: ctfy/busybox
    command: [nc, -ll, -p, "4000", -e, sh, -c, 'echo "$$FLAG"']
    environment: [FLAG]
    ports: ["4000"]
    stop_grace_period: 1s
"""

SOLVER = """\
#!/usr/bin/python3
import socket, sys
host, port = sys.argv[1].split(":")
print("  flag=" + socket.create_connection((host, port), 20).makefile().readline().strip())
print("year=1984")
"""


class Trial(harness.NodeTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="ctfy-trial-")
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.made = []
        self.subnets = harness.free_subnets()

    def tearDown(self):
        for challenge in self.made:
            self.assertEqual(engine.objects(f"{harness.LABEL_CHALLENGE}={challenge}"),
                             {"container": {}, "network": {}, "volume": {}})
            self.remove_images(f"ctfy-challenge/{challenge.lower()}/")
        self.assertEqual(harness.labels_within(self.subnets), set(), "networks are left")

    @staticmethod
    def remove_images(beginning):
        for image in engine.json("GET", "/images/json"):
            for tag in image["RepoTags"] or []:
                if tag.startswith(beginning):
                    engine.call("DELETE", f"/images/{tag}?force=1")

    def challenge(self, word="door", solver=SOLVER, compose=COMPOSE, spec=SPEC):
        name = harness.new_id(word)
        folder = self.root / name
        folder.mkdir()
        (folder / "challenge.yml").write_text(spec)
        (folder / "compose.yml").write_text(compose)
        if solver:
            (folder / "solve").write_text(solver)
            (folder / "solve").chmod(0o755)
        self.made.append(name)
        return name

    def own_node(self):
        return ["--", "--subnets", self.subnets, "--ports", "%d-%d" % harness.free_ports()]

    def begin(self, *words, own=True):
        return subprocess.Popen([harness.CTFY, "challenge", "test", *words,
                                 *(self.own_node() if own else [])],
                                cwd=self.root, text=True, errors="replace", stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run_it(self, *words, status=0, own=True):
        with self.begin(*words, own=own) as ran:
            out, err = ran.communicate(timeout=280)
        self.assertEqual(ran.returncode, status, out + err)
        return out if status in (0, 1) else err

    def test_the_samples_are_solved(self):
        told = json.loads(self.run_it("--json", str(SAMPLES)))
        self.assertEqual({row["id"]: (row["outcome"], row["found"]) for row in told["challenges"]}, {
            "notes-web": ("solved", {"flag": True}),
            "overflow": ("solved", {"flag": True}),
            "two-answers": ("solved", {"user": True, "admin": True}),
        })
        for row in told["challenges"]:
            self.assertEqual(list(row["ms"]), ["start", "health", "solve", "stop"])
        self.assertEqual(told["totals"], {"solved": 3, "healthy": 0, "question": 0, "failed": 0})

    def test_a_tree_and_each_way_of_failing(self):
        solved = self.challenge("a-solved")
        wrong = self.challenge("b-wrong", "#!/bin/sh\necho flag{guessed}; echo year=1984\n")
        broken = self.challenge("c-broken", "#!/bin/sh\necho cannot go on >&2\nexit 7\n")
        absent = self.challenge("d-absent", None)
        crashing = self.challenge("e-crashing", compose="services: {web: {image: ctfy/busybox, "
                                  "command: [sh, -c, 'echo all is lost; exit 3'], ports: [80]}}\n")
        refused = self.challenge("f-refused", compose=COMPOSE + "    privileged: true\n")
        faulty = self.challenge("g-faulty", compose="services: {web: {}}\n")
        (self.root / "h-question").mkdir()
        (self.root / "h-question/challenge.yml").write_text("name: Q\nflags: [x]\n")
        out = self.run_it(".", status=1)
        times = r"\(start \d+\.\d s, health \d+\.\d s, solve \d+\.\d s, stop \d+\.\d s\)"
        for pattern in (
                rf"./{solved}: solved {times}",
                rf"./{wrong}: failed at solve: the solver did not find the answer to 'flag'; "
                rf"it printed: flag\{{guessed\}}\nyear=1984\n {times}",
                rf"./{broken}: failed at solve: the solver exited with 7 {times}\n  \| cannot go on",
                rf"./{absent}: failed at solve: there is no 'solve' in the folder",
                rf"./{crashing}: failed at health: service 'web' \(exited, exit code 3\): not running"
                r" .*\n  \| .*all is lost",
                rf"./{refused}: failed at start: .*opt-in: privileged",
                rf"./{faulty}: failed at start: .*neither an image nor a build",
                r"./h-question: only a question: nothing to start",
                r"8 challenges: 1 solved, 0 healthy, 1 without anything to start, 6 failed\n$"):
            self.assertRegex(out, pattern)

    def test_health_is_the_image_s_own_check_else_that_ports_accept_within_the_deadline(self):
        late = self.challenge("late", spec=SPEC.replace("60s", "1s"), solver=None,
                              compose="services: {door: {image: ctfy/busybox, command: [sleep, '600'], ports: [4000]}}\n")
        checked = self.challenge("checked", solver=None, compose="services: {door: {build: .}}\n")
        (self.root / checked / "Dockerfile").write_text(
            "FROM ctfy/busybox\nHEALTHCHECK --interval=1s --retries=60 CMD test -e /ready\n"
            'CMD ["sh", "-c", "sleep 2; touch /ready; sleep 600"]\n')
        told = {row["id"]: row for row in
                json.loads(self.run_it("--json", "--no-solver", ".", status=1))["challenges"]}
        self.assertEqual(told[checked]["outcome"], "healthy")
        self.assertGreater(told[checked]["ms"]["health"], 1000)
        self.assertEqual((told[late]["outcome"], told[late]["step"]), ("failed", "health"))
        self.assertRegex(told[late]["detail"], "^not healthy after 1 s: service 'door' .*port 4000 does not accept")

    def test_a_policy_and_no_solver(self):
        self.challenge(compose=COMPOSE + "    cap_add: [SYS_PTRACE]\n", solver=None)
        (self.root / "policy.yml").write_text("allow: ['capability:SYS_PTRACE']\n")
        out = self.run_it("--policy", "policy.yml", "--no-solver", ".")
        self.assertRegex(out, r": healthy \(start .*\n1 challenge: 0 solved, 1 healthy,")

    def test_a_solver_that_does_not_end_is_ended_with_all_it_began(self):
        name = self.challenge(solver="#!/bin/sh\nsleep 1000 &\necho $! > child\nwait\n")
        out = self.run_it("--timeout", "1", name, status=1)
        self.assertIn("the solver did not end within 1 s", out)
        child = (self.root / name / "child").read_text().strip()
        harness.wait_for(lambda: not harness.is_process(child, "sleep"), 30, "the child's end")

    def test_output_of_any_bytes_is_told(self):
        name = self.challenge(solver="#!/bin/sh\nprintf '\\377\\033[31m\\n' | tee /dev/stderr\n")
        row, = json.loads(self.run_it("--json", name, status=1))["challenges"]
        self.assertEqual((row["outcome"], row["output"]), ("failed", "\ufffd\x1b[31m\n"))
        self.assertIn("\ufffd", row["detail"])
        self.assertNotIn("\x1b", self.run_it(name, status=1))

    def test_interrupted_it_stops_what_it_started(self):
        name = self.challenge(solver="#!/bin/sh\n: > solving\nsleep 1000\n")
        with self.begin(name) as ran:
            harness.wait_for((self.root / name / "solving").exists, 120, "the solver's start")
            ran.send_signal(signal.SIGINT)
            out, err = ran.communicate(timeout=120)
        self.assertEqual(ran.returncode, 130, err)
        self.assertIn("failed at solve: interrupted", out)

    def test_killed_it_leaves_nothing_either(self):
        name = self.challenge(solver="#!/bin/sh\n: > solving\nexec sleep 30\n")
        with self.begin(name) as ran:
            harness.wait_for((self.root / name / "solving").exists, 120, "the solver's start")
            state, = {str(Path(os.readlink(fd)).parent) for fd in Path(f"/proc/{ran.pid}/fd").iterdir()
                      if os.readlink(fd).endswith("/node.db")}
            ran.kill()
        harness.wait_for(lambda: engine.objects(f"{harness.LABEL_CHALLENGE}={name}")["container"] == {}, 120,
                         "an end of what it started")
        harness.wait_for(lambda: harness.labels_within(self.subnets) == set(), 120, "an end of its networks")
        harness.wait_for(lambda: not os.path.exists(state), 120, "an end of its state")

    def test_somebody_elses_node(self):
        name = self.challenge()
        node = harness.Node(challenges=self.root)
        try:
            url, token = f"http://127.0.0.1:{node.port}", ["--token-file", node.token_file]
            (Path(node.challenges) / name / "notes").write_text("a change\n")
            self.assertIn(": solved (", self.run_it("--node", url, *token, name, own=False))
            self.assertEqual(node.call("GET", "/health").json["running"], 0)
            unknown = self.challenge("unknown")
            self.assertRegex(self.run_it("--node", url, *token, unknown, own=False, status=1),
                             f"failed at start: there is no challenge '{unknown}'")
            self.assertTrue(self.run_it("--node", url, name, own=False, status=3))
        finally:
            node.close()
        self.assertIn("Connection refused", self.run_it("--node", url, name, own=False, status=3))

    def test_a_node_tries_challenges_itself_and_leaves_nothing(self):
        """POST .../trial: the solver runs in a container, and nobody has to wait for it."""
        shell = "#!/bin/sh\n" + 'echo "flag=$(nc ${1%:*} ${1#*:})"\n'
        solved = self.challenge("solved", shell + "echo year=1984\n")
        missed = self.challenge("missed", shell + "echo looking >&2\n")
        plain = self.challenge("plain", None)
        endless = self.challenge("endless", "#!/bin/sh\necho at work; touch $CTFY_ATTACHMENTS/x; sleep 1000\n")
        node = harness.Node(challenges=self.root, solver_image="ctfy/busybox")
        path = "/admin/challenges/{}/trial".format

        def ended(name):
            return harness.wait_for(lambda: (told := node.call("GET", path(name)).json)["outcome"] != "running" and told,
                                    120, f"the end of the trial of {name}")
        try:
            self.assertStatus(node.call("POST", path("nobody")), 404)
            self.assertEqual(node.call("GET", path(solved)).json["outcome"], "untried")
            self.assertStatus(node.call("POST", path(endless)), 202)
            harness.wait_for(lambda: "at work" in (node.call("GET", path(endless)).json["output"] or ""), 120,
                             "what the endless solver writes")
            joined = self.assertStatus(node.call("POST", path(endless)), 200).json
            self.assertEqual((joined["outcome"], joined["step"]), ("running", "solve"))
            self.assertEqual(node.running(), 1)

            for name in (solved, missed, plain):
                self.assertStatus(node.call("POST", path(name)), 202)
            told = ended(solved)
            self.assertEqual((told["outcome"], told["detail"]), ("solved", None))
            self.assertEqual([row["step"] for row in told["steps"]], ["start", "health", "solve", "stop"])
            self.assertEqual(told["answers"], [{"question": "flag", "found": True}, {"question": "year", "found": True}])
            self.assertRegex(told["output"], r"^flag=flag\{.+\}\nyear=1984\n$")
            told = ended(missed)
            self.assertEqual((told["outcome"], told["step"]), ("failed", "solve"))
            self.assertIn("did not find the answer to 'year'", told["detail"])
            self.assertIn("looking\n", told["output"])
            self.assertEqual(ended(plain)["outcome"], "healthy")

            node.kill()
            node.start()
            told = node.call("GET", path(endless)).json
            self.assertEqual((told["outcome"], told["detail"]), ("failed", "interrupted: the node was restarted"))
            harness.wait_for(lambda: node.running() == 0, 120, "an end of what the killed node ran")
            self.assertEqual(node.directories(), {"instances"})
            self.assertNothingLeft(f"{harness.LABEL_CHALLENGE}={endless}")
            self.assertStatus(node.call("POST", path(endless)), 202)
            harness.wait_for(lambda: node.running() == 1, 120, "an instance")
            node.terminate(120)
            node.start()
            self.assertEqual(node.call("GET", path(endless)).json["detail"], "interrupted")
            self.assertEqual(node.running(), 0)
        finally:
            node.close()

    def test_usage(self):
        for words in ([], ["--colour", "x"], ["--node", "http://h", "--policy", "x", "p"],
                      ["--policy", "nowhere", "p"]):
            self.assertTrue(self.run_it(*words, own=False, status=2))
        self.assertIn("Usage: ctfy challenge test", self.run_it("--help", own=False))
        self.run_it("nowhere", own=False, status=1)


if __name__ == "__main__":
    harness.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`ctfy challenge` as its users see it: what it prints, and what it exits with."""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

CTFY = os.environ["CTFY"]
GOOD = "services: {web: {image: i, ports: ['80'], environment: {FLAG: a}}}\n"


class Challenge(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="ctfy-test-")
        self.root = Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def ctfy(self, *words, status=0):
        ran = subprocess.run([CTFY, "challenge", *words], cwd=self.root, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(ran.returncode, status, ran.stdout + ran.stderr)
        return ran

    def test_a_new_challenge_is_fine_and_planned(self):
        self.ctfy("new", "my-door")
        lint = self.ctfy("lint", "my-door")
        self.assertEqual(lint.stdout, "1 challenge: 1 fine, 0 refused by policy, 0 faulty "
                                      "(0 errors, 0 policy, 0 warnings)\n")
        plan = json.loads(self.ctfy("plan", "my-door").stdout)
        self.assertEqual([service["name"] for service in plan["services"]], ["door"])
        self.assertEqual(plan["answers"], [{"question": "flag", "service": "door",
                                            "way": "environment", "where": "FLAG"}])
        self.assertIn("name: My door\n", (self.root / "my-door/challenge.yml").read_text())
        self.assertTrue(os.access(self.root / "my-door/solve", os.X_OK))
        self.assertIn("is there already", self.ctfy("new", "my-door", status=1).stderr)

    def test_lint_tells_each_problem_in_a_line(self):
        self.write("a/compose.yml", GOOD)
        self.write("b/compose.yml", "services:\n  web:\n    image: i\n    imagine: x\n    environment: {FLAG: a}\n")
        self.write("c/compose.yml", "services: {web: {image: i, ports: [80], privileged: true, environment: {FLAG: a}}}\n")
        lines = self.ctfy("lint", ".", status=1).stdout.splitlines()
        self.assertEqual(lines, [
            "./b/compose.yml:4:5: error: services.web.imagine: unknown key",
            "./c/compose.yml:1:53: policy: services.web.privileged: a privileged service has all "
            "rights over the host (opt-in: privileged)",
            "3 challenges: 1 fine, 1 refused by policy, 1 faulty (1 errors, 1 policy, 0 warnings)",
        ])

    def test_the_documented_keys_are_those_of_the_readers(self):
        table = self.ctfy("keys").stdout
        page = Path(__file__).parents[2] / "docs/challenges.md"
        self.assertIn(table, page.read_text(), "put what `ctfy challenge keys` prints into docs/challenges.md")

    def test_lint_for_programs(self):
        self.write("b/compose.yml", "services: {web: {image: i, privileged: true, ports: [80], "
                                    "environment: {FLAG: a}}}\n")
        told = json.loads(self.ctfy("lint", "--json", "b", status=1).stdout)
        self.assertEqual(told["totals"]["policy"], 1)
        row, = told["challenges"]
        self.assertEqual((row["path"], row["id"], row["dialect"], row["outcome"]),
                         ("b", "b", "compose", "policy"))
        self.assertEqual(row["problems"], [{
            "kind": "policy", "file": "b/compose.yml", "line": 1, "column": 40,
            "key": "services.web.privileged", "opt_in": "privileged",
            "allows": "run a service with all rights over the host",
            "message": "a privileged service has all rights over the host"}])

    def test_a_folder_whose_name_is_not_utf_8(self):
        folder = os.path.join(os.fsencode(self.root), b"caf\xe9")
        os.mkdir(folder)
        with open(os.path.join(folder, b"compose.yml"), "w") as file:
            file.write("services: {web: {environment: {FLAG: a}}}\n")
        row, = json.loads(self.ctfy("lint", "--json", ".", status=1).stdout)["challenges"]
        self.assertEqual((row["path"], row["outcome"], len(row["problems"])), ("./caf\ufffd", "faulty", 1))

    def test_a_policy_decides(self):
        self.write("b/compose.yml", "services: {web: {image: i, privileged: true, ports: [80]}}\n")
        self.write("policy.yml", "challenges: {b: {allow: [privileged]}}\n")
        self.ctfy("lint", "--policy", "policy.yml", "b")
        self.ctfy("plan", "--policy=policy.yml", "b")
        self.assertIn("opt-in: privileged", self.ctfy("plan", "b", status=1).stderr)
        self.write("policy.yml", "allow: [everything]\n")
        self.assertIn("policy.yml:1:9: error: allow: 'everything' is not an opt-in",
                      self.ctfy("lint", "--policy", "policy.yml", "b", status=2).stderr)

    def test_what_is_absent_is_a_fault_to_lint_and_a_warning_to_plan(self):
        self.write("b/compose.yml", "services: {web: {build: gone, ports: [80]}}\n")
        self.assertIn("b/compose.yml:1:25: error: services.web.build: the context 'gone' is not a "
                      "directory", self.ctfy("lint", "b", status=1).stdout)
        plan = self.ctfy("plan", "b")
        self.assertIn("warning: services.web.build", plan.stderr)
        self.assertEqual(json.loads(plan.stdout)["services"][0]["name"], "web")

    def test_import_prints_a_spec_that_means_the_same(self):
        self.write("c/challenge.json", json.dumps({"name": "n", "flag": "f{x}", "points": 5}))
        text = self.ctfy("import", "c").stdout
        self.write("d/challenge.yml", text)
        self.assertEqual(self.ctfy("import", "d").stdout, text)

    def test_usage(self):
        for words in ([], ["dance"], ["lint"], ["plan", "a", "b"], ["lint", "--colour", "x"]):
            self.assertTrue(self.ctfy(*words, status=2).stderr)
        self.assertIn("Usage: ctfy challenge", self.ctfy("--help").stdout)
        self.assertIn("Usage: ctfy challenge", self.ctfy("lint", "--help").stdout)
        self.assertIn("'nowhere': No such file", self.ctfy("lint", "nowhere", status=1).stderr)
        self.write("empty/x", "")
        self.assertIn("there is no challenge in 'empty'",
                      self.ctfy("lint", "empty", status=1).stderr)


unittest.main()

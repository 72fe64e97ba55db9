#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The contract's table, row by row, as a program gets it that is linked with the C client.

Written from the contract alone, against a real node. Of a typed result the node's own JSON is
looked at, which must have every member that the contract promises, and what the client's structs
kept of it, which must be the same. What HTTP looks like underneath is for the other files.
"""

import json
import os
import re
import shutil
import subprocess
import threading
from datetime import datetime

import harness
from harness import EngineProxy, Node, NodeTest, engine, fetch_soon, new_id, sha256, wait_for

SDK_CALL = (os.environ.get("SDK_CALL")
            or os.path.join(harness.HERE, "../../build/tests/sdk/sdk-call"))
EVIDENCE = os.path.join(harness.HERE, "../evidence/challenges")
NOBODY = new_id("nobody")

# --- What the contract promises of each answer -----------------------------------------------

# A shape is a type, a pattern, words to choose from (a set), members (a dict; others may be there
# too), a list of one shape, or several shapes of which one must fit (a tuple).

TIME = harness.RFC3339_UTC
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
DIGEST = re.compile(r"[0-9a-f]{64}")
NULL = type(None)

ENDPOINT = {"service": str, "container_port": int, "protocol": {"tcp", "udp"}, "host": str,
            "port": int, "url": (str, NULL)}
SERVICE = {"service": str, "state": str, "health": str, "exit_code": (int, NULL), "oom_killed": bool}
INSTANCE = {
    "instance_id": ID, "challenge_id": ID,
    "status": {"starting", "running", "stopping", "stopped", "expired", "failed"},
    "endpoints": [ENDPOINT], "services": [SERVICE],
    "started_at": (TIME, NULL), "expires_at": (TIME, NULL),
}
STATUS = {**INSTANCE, "detail": (str, NULL)}
HEALTH = {"is_healthy": bool, "services": [{"service": str}]}
NODE_HEALTH = {"status": str, "running": int, "capacity": int, "version": str, "engine": str}
STOPPED = {"stopped": [ID], "failed": [{"instance_id": ID, "detail": str}]}
RESCAN = {"total": int, "added": [ID], "removed": [ID], "errors": [{"path": str, "detail": str}]}
LINT = {"path": str, "id": (ID, NULL), "dialect": (str, NULL), "outcome": {"fine", "policy", "faulty"},
        "problems": [{"kind": {"error", "warning", "policy"}, "file": (str, NULL), "line": int, "column": int,
                      "key": (str, NULL), "message": str, "opt_in": (str, NULL), "allows": (str, NULL)}]}
TRIAL = {"challenge_id": ID, "outcome": {"untried", "running", "solved", "healthy", "question", "failed"},
         "step": (str, NULL), "detail": (str, NULL), "steps": [{"step": str, "ms": int}],
         "answers": [{"question": ID, "found": bool}], "output": (str, NULL),
         "started_at": (TIME, NULL), "ended_at": (TIME, NULL)}
CONTAINERS = [{"container_id": str, "name": str, "service": str, "role": {"service", "sidecar"},
               "image": str, "state": str, "health": (str, NULL), "created_at": TIME}]
ATTACHMENTS = {"attachments": [{"filename": str, "size": int, "content_type": str, "sha256": DIGEST}]}
AGENT_RUNTIME = {"provider": {"docker"}, "proxy_url": (str, NULL), "ca_pem": (str, NULL), "env": dict,
                 "endpoints": [ENDPOINT], "docker": {"network": str, "containers": list}}
MESSAGE = {"http_version": str, "headers": list, "body": (dict, NULL)}
FLOW = {"id": (str, int), "started_at": TIME, "duration_ms": (int, float), "client": str,
        "request": {"method": str, "url": str, **MESSAGE}, "response": (MESSAGE, NULL),
        "websocket": (dict, NULL), "error": (str, NULL)}
HAR = {"log": {"version": {"1.2"}, "creator": {"name": str, "version": str}, "entries": list}}


class Warming:
    """Build and pull are twins: their words, and what they answer."""

    def __init__(self, verb, undone, doing, done, engine_call):
        self.verb, self.undone, self.doing, self.done = verb, undone, doing, done
        self.at = done + "_at"
        self.engine_call = engine_call
        self.row = {"challenge_id": ID, "status": {undone, doing, done, "failed"},
                    self.at: (TIME, NULL), "error": (str, NULL)}
        self.rows = {"rows": [self.row]}
        self.bulk = {"queued": [ID], f"skipped_{done}": [ID], "skipped_in_progress": [ID]}
        self.one, self.all = f"{verb}_challenge", f"{verb}_all_challenges"
        self.state = f"get_{verb}_state"


BUILD = Warming("build", "unbuilt", "building", "built", r"POST \S*/build\b")
PULL = Warming("pull", "unpulled", "pulling", "pulled", r"POST \S*/images/create")


def misfit(value, want, at="answer"):
    """Where the value is not of the shape; None when it is."""
    if isinstance(want, tuple):
        faults = [misfit(value, one, at) for one in want]
        return None if None in faults else faults[0]
    if isinstance(want, type):
        fits = isinstance(value, want) and not (isinstance(value, bool) and want is int)
        return None if fits else f"{at} is no {want.__name__}: {value!r}"
    if isinstance(want, set):
        return None if isinstance(value, str) and value in want else f"{at} is none of {want}: {value!r}"
    if isinstance(want, re.Pattern):
        fits = isinstance(value, str) and want.fullmatch(value)
        return None if fits else f"{at} does not match {want.pattern}: {value!r}"
    if isinstance(want, dict):
        if not isinstance(value, dict):
            return f"{at} is no object: {value!r}"
        missing = want.keys() - value.keys()
        if missing:
            return f"{at} has no {sorted(missing)}: {value!r}"
        faults = [misfit(value[name], one, f"{at}.{name}") for name, one in want.items()]
    else:
        if not isinstance(value, list):
            return f"{at} is no array: {value!r}"
        faults = [misfit(one, want[0], f"{at}[{i}]") for i, one in enumerate(value)]
    return next((fault for fault in faults if fault), None)


def promised(value, want):
    """Of the value what the shape has."""
    if isinstance(want, dict):
        return {name: promised(value[name], one) for name, one in want.items()}
    if isinstance(want, list):
        return [promised(one, want[0]) for one in value]
    return value


# --- The client ------------------------------------------------------------------------------


def argv_of(on, words, options=(), token=None):
    """The program's; a '/' at the end of the node's URL is dropped."""
    return [SDK_CALL, "--timeout", "120", *options, f"http://127.0.0.1:{on.port}/", token or on.token, *words]


def sdk(on, words, options=(), token=None):
    """The program, finished."""
    return subprocess.run(argv_of(on, words, options, token), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=600, check=False)


class ContractTest(NodeTest):
    def call(self, *words, options=(), on=None):
        """What the call printed."""
        done = sdk(on or node, words, options)
        self.assertEqual((done.returncode, done.stderr), (0, b""), words)
        return done.stdout

    def told(self, want, *words, options=(), on=None):
        """The node's JSON, after a look at it and at what the client made of it."""
        text = self.call(*words, options=[*options, "--both"], on=on)
        told, kept = [json.loads(line) for line in text.splitlines()]
        for answer in [told, kept]:
            fault = misfit(answer, want)
            if fault:
                self.fail(f"{' '.join(words)}: {fault}")
        self.assertEqual(promised(kept, want), promised(told, want), words)
        return told

    def bytes(self, *words, **more):
        """(content type, content)"""
        kind, content = self.call(*words, **more).split(b"\n", 1)
        return kind.decode(), content

    def failure(self, *words, options=(), on=None, token=None):
        """(kind, status, detail)"""
        done = sdk(on or node, words, options, token)
        self.assertEqual((done.returncode, done.stdout), (1, b""), words)
        kind, status, detail = done.stderr.decode().rstrip("\n").split(" ", 2)
        return kind, int(status), detail

    def refused(self, status, *words, **more):
        """The detail of a node request error."""
        failure = self.failure(*words, **more)
        self.assertEqual(failure[:2], ("node", status), (words, failure))
        self.assertTrue(failure[2].strip(), words)
        return failure[2]

    def invalid(self, *words, **more):
        """The members of the body that were told as faulty."""
        faults = json.loads(self.refused(422, *words, **more))
        fault = misfit(faults, [{"loc": list, "msg": str, "type": str}])
        self.assertIsNone(fault)
        self.assertTrue(faults, words)
        for one in faults:
            self.assertEqual(one["loc"][0], "body")
        return {one["loc"][1] for one in faults}

    def row_of(self, kind, challenge, on=None):
        rows = self.told(kind.rows, kind.state, on=on)["rows"]
        return next(row for row in rows if row["challenge_id"] == challenge)

    def copy_of(self, challenge, on=None, **files):
        """The id of a challenge just like it, which nobody has asked for yet."""
        folder = (on or node).challenges
        challenge_id = new_id(challenge).lower()
        shutil.copytree(os.path.join(folder, challenge), os.path.join(folder, challenge_id))
        for name, text in files.items():
            with open(os.path.join(folder, challenge_id, name), "w") as file:
                file.write(text)
        self.assertIn(challenge_id, self.told(RESCAN, "rescan_challenges", on=on)["added"])
        return challenge_id

    def ended(self, kind, challenge, on=None):
        """The row, once its work is over."""
        return wait_for(lambda: (row := self.row_of(kind, challenge, on))["status"] != kind.doing and row,
                        120, f"an end of {kind.verb} '{challenge}'")


# Each row of the table as a call of the client, and the one of ours beside them.
OF_AN_INSTANCE = ["stop_instance", "get_status", "check_health", "get_traffic", "list_containers",
                  "get_container_logs", "get_pcap", "get_agent_runtime", "list_instance_attachments",
                  "get_openvpn_config", "download_instance_attachment", "set_ttl"]
OF_A_CHALLENGE = ["build_challenge", "pull_challenge"]
OF_THE_NODE = ["stop_all", "rescan_challenges", "build_all_challenges", "get_build_state",
               "pull_all_challenges", "get_pull_state", "node_health"]
MORE_ARGS = {"download_instance_attachment": ["file"], "set_ttl": ["60"]}

node = None   # whose engine is the real one
ruled = None  # with room for one instance, behind a proxy
proxy = None


def new_instance(on=None):
    instance_id = new_id()
    (on or node).ids.add(instance_id)
    return instance_id


def setUpModule():
    global node, ruled, proxy
    if not os.access(SDK_CALL, os.X_OK):
        raise AssertionError(f"no program at '{SDK_CALL}': build it, or name it by the environment's SDK_CALL")
    node = Node(start=False)
    for challenge in ["recorded", "vpn-own"]:
        shutil.copytree(os.path.join(EVIDENCE, challenge), os.path.join(node.challenges, challenge))
    node.start()
    proxy = EngineProxy(node.dir)
    ruled = Node(engine_url=proxy.url, capacity=1, start=False)
    os.symlink(ruled.evidence, ruled.dir + "/link")
    ruled.options["evidence"] = ruled.dir + "/link"
    ruled.start()


def tearDownModule():
    proxy.release()
    ruled.close()
    for image in engine.json("GET", "/images/json"):
        for name in image["RepoTags"] or []:
            if harness.PREFIX in name:
                engine.call("DELETE", f"/images/{name}?force=1")


# --- Errors that every row has ---------------------------------------------------------------


class Refusals(ContractTest):
    def test_every_row_wants_the_token(self):
        rows = [["start_instance", "plain", NOBODY, "60"]] + [[name] for name in OF_THE_NODE]
        rows += [[name, "plain"] for name in OF_A_CHALLENGE]
        rows += [[name, NOBODY, *MORE_ARGS.get(name, [])] for name in OF_AN_INSTANCE]
        for row in rows:
            with self.subTest(row=row):
                self.refused(401, *row, token="wrong")

    def test_an_instance_never_known_is_404(self):
        for name in OF_AN_INSTANCE:
            with self.subTest(row=name):
                if name == "get_pcap": # a 404 is no error here
                    self.assertEqual(self.bytes(name, NOBODY)[1], b"")
                else:
                    self.assertIn(NOBODY, self.refused(404, name, NOBODY, *MORE_ARGS.get(name, [])))

    def test_a_challenge_never_known_is_404(self):
        for name in OF_A_CHALLENGE:
            self.assertIn(NOBODY, self.refused(404, name, NOBODY))

    def test_what_is_no_id_is_422_and_never_a_path(self):
        for name in OF_AN_INSTANCE + OF_A_CHALLENGE:
            for bad in ["-x", ".x", "a b", "a/b", "../x", "é", "x" * 64]:
                with self.subTest(row=name, id=bad):
                    self.refused(422, name, bad, *MORE_ARGS.get(name, []))

    def test_faults_of_a_start_are_listed(self):
        self.assertEqual(self.invalid("start_instance", "plain", NOBODY, "0"), {"ttl"})
        self.assertEqual(self.invalid("start_instance", "plain", NOBODY, "-1"), {"ttl"})
        self.assertEqual(self.invalid("start_instance", "plain", "no id", "60"), {"instance_id"})
        self.assertEqual(self.invalid("start_instance", "../plain", NOBODY, "60"), {"challenge_id"})
        self.assertEqual(self.invalid("start_instance", "no id", "no id", "0"),
                         {"challenge_id", "instance_id", "ttl"})
        for outside in ["/etc", node.evidence + "/../elsewhere", node.evidence + "-too"]:
            self.assertEqual(self.invalid("start_instance", "plain", NOBODY, "60",
                                          options=["--output-dir", outside]), {"proxy_output_dir"})

    def test_a_bulk_list_of_no_ids_is_422(self):
        for kind in [BUILD, PULL]:
            self.assertEqual(self.invalid(kind.all, "plain", "no id"), {"challenge_ids"})


# --- An instance's life ----------------------------------------------------------------------


def seconds_between(begin, end):
    return (datetime.fromisoformat(end.replace("Z", "+00:00"))
            - datetime.fromisoformat(begin.replace("Z", "+00:00"))).total_seconds()


class Life(ContractTest):
    def test_started_told_and_stopped(self):
        instance_id = new_instance()
        start = ["start_instance", "web", instance_id, "600", "flag=flag{mine}"]
        row = self.told(INSTANCE, *start)
        self.assertEqual(self.told(INSTANCE, *start), row)
        self.assertEqual((row["instance_id"], row["challenge_id"], row["status"]),
                         (instance_id, "web", "running"))
        self.assertAlmostEqual(seconds_between(row["started_at"], row["expires_at"]), 600, delta=5)
        endpoint, = row["endpoints"]
        self.assertEqual((endpoint["service"], endpoint["container_port"], endpoint["protocol"]),
                         ("web", 8080, "tcp"))
        self.assertEqual(fetch_soon(endpoint["host"], endpoint["port"]), "flag{mine}")
        self.assertRunning(node, instance_id)
        self.assertEqual(self.told(STATUS, "get_status", instance_id), {**row, "detail": None})
        for other in [["web", instance_id, "601", "flag=flag{mine}"],
                      ["web", instance_id, "600", "flag=flag{other}"],
                      ["web", instance_id, "600"],
                      ["plain", instance_id, "600", "flag=flag{mine}"]]:
            self.assertIn(instance_id, self.refused(409, "start_instance", *other))
        self.assertEqual(self.call("stop_instance", instance_id), b"")
        self.assertGone(node, instance_id)
        self.assertEqual(self.told(STATUS, "get_status", instance_id)["status"], "stopped")
        self.assertEqual(self.call("stop_instance", instance_id), b"")

    def test_a_challenge_it_does_not_have(self):
        self.assertIn("no-such", self.refused(404, "start_instance", "no-such", new_instance(), "60"))

    def test_what_the_engine_says_is_told_and_nothing_stays(self):
        for challenge, words in [("no-image", "connection refused"), ("no-entrypoint", "/absent/program")]:
            instance_id = new_instance()
            self.assertIn(words, self.refused(502, "start_instance", challenge, instance_id, "60"))
            self.assertGone(node, instance_id)

    def test_asynchronously_the_status_tells_of_the_failure(self):
        instance_id = new_instance()
        row = self.told(INSTANCE, "start_instance", "no-image", instance_id, "60", options=["--async"])
        self.assertEqual((row["instance_id"], row["status"]), (instance_id, "starting"))
        wait_for(lambda: node.state_of(instance_id) == "failed", 60, "an end of the start")
        status = self.told(STATUS, "get_status", instance_id)
        self.assertIn("connection refused", status["detail"])
        self.assertGone(node, instance_id)

    def test_it_ends_at_its_time_which_may_change(self):
        instance_id = new_instance()
        row = self.told(INSTANCE, "start_instance", "plain", instance_id, "600", "flag=x")
        longer = self.told(INSTANCE, "set_ttl", instance_id, "6000")
        self.assertEqual({**longer, "expires_at": None}, {**row, "expires_at": None})
        self.assertGreater(seconds_between(row["expires_at"], longer["expires_at"]), 5000)
        for bad in ["0", "-1"]:
            self.assertEqual(self.invalid("set_ttl", instance_id, bad), {"ttl"})
        self.call("set_ttl", instance_id, "1")
        wait_for(lambda: node.state_of(instance_id) == "expired", 60, "its end")
        self.assertGone(node, instance_id, 60)
        self.assertEqual(self.told(STATUS, "get_status", instance_id)["status"], "expired")
        self.assertIn(instance_id, self.refused(409, "set_ttl", instance_id, "60"))
        self.assertEqual(self.call("stop_instance", instance_id), b"")

    def test_a_hung_up_client_leaves_a_start_that_goes_on(self):
        instance_id = new_instance(ruled)
        start = ["start_instance", "plain", instance_id, "600"]
        proxy.hold(r"POST \S*/containers/create")
        self.addCleanup(proxy.release)
        client = subprocess.Popen(argv_of(ruled, start))
        proxy.wait_held(60)
        client.kill()
        client.wait()
        self.assertEqual(self.told(STATUS, "get_status", instance_id, on=ruled)["status"], "starting")
        self.assertEqual(self.call("check_health", instance_id, on=ruled), b"false\n")
        self.assertIn("1/1", self.refused(503, "start_instance", "plain", new_instance(ruled), "60", on=ruled))
        proxy.release()
        self.assertEqual(json.loads(self.call(*start, on=ruled))["status"], "running")
        self.assertIn("1/1", self.refused(503, "start_instance", "plain", new_instance(ruled), "60", on=ruled))
        proxy.hold(r"DELETE \S*/containers/")
        stop = threading.Thread(target=self.call, args=["stop_instance", instance_id], kwargs={"on": ruled})
        stop.start()
        proxy.wait_held(60)
        self.assertEqual(self.told(STATUS, "get_status", instance_id, on=ruled)["status"], "stopping")
        proxy.release()
        stop.join()
        self.assertEqual(self.told(STATUS, "get_status", instance_id, on=ruled)["status"], "stopped")

    def test_whatever_the_engine_refuses_is_told_as_it_said_it(self):
        proxy.refuse(r"POST \S*/containers/create", 500, "the disk is on fire")
        instance_id = new_instance(ruled)
        self.assertIn("the disk is on fire",
                      self.refused(502, "start_instance", "plain", instance_id, "60", on=ruled))
        self.assertEqual(self.told(NODE_HEALTH, "node_health", on=ruled)["running"], 0)


    def test_the_recording_may_be_anywhere_below_the_root_as_it_was_configured(self):
        instance_id = new_instance(ruled)
        self.call("start_instance", "plain", instance_id, "60", on=ruled,
                  options=["--output-dir", ruled.options["evidence"] + "/team/"])
        self.call("stop_instance", instance_id, on=ruled)


class Whole(ContractTest):
    """The calls about all of a node; what they do is done to one that nobody else uses."""

    def test_the_heartbeat(self):
        health = self.told(NODE_HEALTH, "node_health", on=ruled)
        self.assertEqual((health["status"], health["running"], health["capacity"]), ("ok", 0, 1))
        instance_id = new_instance(ruled)
        self.call("start_instance", "plain", instance_id, "600", on=ruled)
        self.assertEqual(self.told(NODE_HEALTH, "node_health", on=ruled)["running"], 1)
        self.assertEqual(self.told(STOPPED, "stop_all", on=ruled), {"stopped": [instance_id], "failed": []})
        self.assertGone(ruled, instance_id)
        self.assertEqual(self.told(STATUS, "get_status", instance_id, on=ruled)["status"], "stopped")
        self.assertEqual(self.told(STOPPED, "stop_all", on=ruled), {"stopped": [], "failed": []})
        self.assertEqual(self.call("stop_all", "quiet", on=ruled), b"")

    def test_a_rescan(self):
        instance_id = new_instance()
        self.call("start_instance", "plain", instance_id, "600")
        before = self.told(RESCAN, "rescan_challenges")
        self.assertEqual((before["total"], before["added"], before["removed"], before["errors"]),
                         (len(os.listdir(node.challenges)), [], [], []))
        shutil.copytree(os.path.join(node.challenges, "plain"), os.path.join(node.challenges, "fresh"))
        os.rename(os.path.join(node.challenges, "udp"), os.path.join(node.dir, "udp"))
        broken = os.path.join(node.challenges, "broken")
        shutil.copytree(os.path.join(node.challenges, "fresh"), broken)
        with open(os.path.join(broken, "challenge.yml"), "w") as file:
            file.write("name: [\n")
        after = self.told(RESCAN, "rescan_challenges")
        self.assertEqual((after["total"], after["added"], after["removed"]), (before["total"], ["fresh"], ["udp"]))
        error, = after["errors"]
        self.assertIn("broken", error["path"])
        self.assertRunning(node, instance_id)
        shutil.rmtree(broken)
        os.rename(os.path.join(node.dir, "udp"), os.path.join(node.challenges, "udp"))
        back = self.told(RESCAN, "rescan_challenges")
        self.assertEqual((back["added"], back["removed"], back["errors"]), (["udp"], [], []))
        self.call("stop_instance", instance_id)


    def test_what_is_wrong_with_challenges(self):
        """Beyond the contract: as `ctfy challenge lint` says it, folders that don't load too."""
        folder = os.path.join(node.challenges, "wrong")
        shutil.copytree(os.path.join(node.challenges, "plain"), folder)
        with open(os.path.join(folder, "compose.yml"), "a") as file:
            file.write("    privileged: true\n    imagine: x\n")
        rescan = self.told(RESCAN, "rescan_challenges")
        self.assertEqual((rescan["added"], rescan["errors"]), (["wrong"], []))
        unstartable, = rescan["unstartable"]
        self.assertEqual(unstartable["path"], folder)
        self.assertRegex(unstartable["detail"], r"^wrong/compose.yml:\d+:\d+: error: services.one.imagine: unknown key$")
        written = json.loads(subprocess.run([harness.CTFY, "challenge", "lint", "--json", "wrong"],
                                            cwd=node.challenges, stdout=subprocess.PIPE, check=False).stdout)
        told = self.told(LINT, "lint_challenge", "wrong")
        self.assertEqual(told, written["challenges"][0])
        self.assertEqual({row["kind"] for row in told["problems"]}, {"error", "policy"})
        with open(os.path.join(folder, "challenge.yml"), "w") as file:
            file.write("name: [\n")
        everything = self.told({"challenges": [LINT]}, "lint_all_challenges")
        self.assertEqual(everything["totals"]["challenges"], len(everything["challenges"]))
        broken, = [row for row in everything["challenges"] if row["path"] == "wrong"]
        self.assertEqual((broken["id"], broken["outcome"]), (None, "faulty"))
        shutil.rmtree(folder)
        self.assertEqual(self.told(RESCAN, "rescan_challenges")["removed"], ["wrong"])
        self.refused(404, "lint_challenge", "wrong")


    def test_a_trial(self):
        """Beyond the contract; tests/challenge has what comes of it."""
        self.assertEqual(self.told(TRIAL, "get_trial", "plain")["outcome"], "untried")
        self.assertEqual(self.told(TRIAL, "start_trial", "plain")["outcome"], "running")
        told = wait_for(lambda: (row := self.told(TRIAL, "get_trial", "plain"))["outcome"] != "running" and row,
                        120, "an end of the trial")
        self.assertEqual((told["outcome"], [row["step"] for row in told["steps"]]),
                         ("healthy", ["start", "health", "stop"]))
        self.refused(404, "start_trial", NOBODY)
        self.refused(404, "get_trial", NOBODY)


# --- Warming ---------------------------------------------------------------------------------


class Warm(ContractTest):
    def test_asked_for_working_done(self):
        challenge = self.copy_of("leaves")
        for kind in [BUILD, PULL]:
            with self.subTest(verb=kind.verb):
                self.assertEqual(promised(self.row_of(kind, challenge), kind.row),
                                 {"challenge_id": challenge, "status": kind.undone, kind.at: None, "error": None})
                row = self.told(kind.row, kind.one, challenge)
                self.assertEqual((row["challenge_id"], row["status"]), (challenge, kind.doing))
                row = self.ended(kind, challenge)
                self.assertEqual((row["status"], row["error"]), (kind.done, None))
                self.assertIsNotNone(row[kind.at])
                self.assertEqual(self.told(kind.bulk, kind.all, challenge),
                                 {"queued": [], f"skipped_{kind.done}": [challenge], "skipped_in_progress": []})

    def test_a_bulk_list_queues_what_it_was_given_or_everything(self):
        challenge = self.copy_of("pair")
        everything = sorted(os.listdir(node.challenges))
        for kind in [BUILD, PULL]:
            with self.subTest(verb=kind.verb):
                rows = self.told(kind.rows, kind.state)["rows"]
                self.assertEqual(sorted(row["challenge_id"] for row in rows), everything)
                self.assertEqual(self.told(kind.bulk, kind.all, "none"),
                                 {"queued": [], f"skipped_{kind.done}": [], "skipped_in_progress": []})
                self.assertIn(NOBODY, self.refused(404, kind.all, challenge, NOBODY))
                self.assertEqual(self.row_of(kind, challenge)["status"], kind.undone)
                bulk = self.told(kind.bulk, kind.all)
                self.assertEqual(sorted(sum((bulk[name] for name in kind.bulk), [])), everything)
                self.assertIn(challenge, bulk["queued"])
                for one in everything:
                    self.ended(kind, one)
                self.assertEqual(self.row_of(kind, challenge)["status"], kind.done)

    def test_a_failure_has_its_cause(self):
        broken = self.copy_of("made", Dockerfile="FROM ctfy/busybox\nRUN echo out of luck && exit 9\n")
        for kind, challenge, cause in [(BUILD, broken, "out of luck"), (PULL, "no-image", "connection refused")]:
            self.call(kind.one, challenge)
            row = self.ended(kind, challenge)
            self.assertEqual((row["status"], row[kind.at]), ("failed", None))
            self.assertIn(cause, row["error"])

    def test_one_at_a_time_and_what_is_in_progress_is_joined(self):
        both = [self.copy_of("made", on=ruled) for _ in range(2)]
        seen = len(proxy.calls)
        proxy.hold(BUILD.engine_call)
        self.addCleanup(proxy.release)
        self.assertEqual(self.told(BUILD.bulk, "build_all_challenges", *both, on=ruled),
                         {"queued": both, "skipped_built": [], "skipped_in_progress": []})
        proxy.wait_held(60)
        self.assertEqual(self.told(BUILD.bulk, "build_all_challenges", *both, on=ruled),
                         {"queued": [], "skipped_built": [], "skipped_in_progress": both})
        for challenge in both:
            self.assertEqual(self.row_of(BUILD, challenge, on=ruled)["status"], "building")
        builds = [call for call in proxy.calls[seen:] if re.search(BUILD.engine_call, call)]
        self.assertEqual(len(builds), 1, builds)
        proxy.release()
        for challenge in both:
            self.assertEqual(self.ended(BUILD, challenge, on=ruled)["status"], "built")

    def test_killed_in_the_middle_it_is_not_at_work_for_ever(self):
        for kind, challenge in [(BUILD, "made"), (PULL, "no-image")]:
            with self.subTest(verb=kind.verb):
                proxy.hold(kind.engine_call)
                self.addCleanup(proxy.release)
                self.assertEqual(self.told(kind.row, kind.one, challenge, on=ruled)["status"], kind.doing)
                proxy.wait_held(60)
                ruled.kill()
                proxy.release()
                ruled.start()
                row = self.ended(kind, challenge, on=ruled)
                self.assertIn(row["status"], {kind.done, "failed"}, row)


# --- What there is to see of an instance -----------------------------------------------------


class Looking(ContractTest):
    @classmethod
    def setUpClass(cls):
        """One instance that nothing is recorded of, with attachments."""
        cls.id = new_instance()
        done = sdk(node, ["start_instance", "attached", cls.id, "600", "flag=flag{looked}"])
        assert done.returncode == 0, done.stderr
        cls.row = json.loads(done.stdout)

    def test_health(self):
        self.assertEqual(self.call("check_health", self.id), b"true\n")
        word, told = self.call("check_health", self.id, "services", options=["--json"]).split(b"\n", 1)
        health = json.loads(told)
        self.assertIsNone(misfit(health, HEALTH))
        self.assertEqual((word, health["is_healthy"]), (b"true", True))
        self.assertEqual([service["service"] for service in health["services"]], ["one"])

    def test_ill_health(self):
        for challenge in ["silent", "leaves"]: # nothing listens; one has left
            instance_id = new_instance()
            self.call("start_instance", challenge, instance_id, "600")
            wait_for(lambda: self.call("check_health", instance_id) == b"false\n", 60, "is_healthy false")
            self.assertEqual(self.told(STATUS, "get_status", instance_id)["status"], "running")
            self.call("stop_instance", instance_id)

    def test_containers(self):
        row, = self.told(CONTAINERS, "list_containers", self.id)
        self.assertEqual((row["service"], row["role"], row["state"]), ("one", "service", "running"))
        self.assertEqual(engine.inspect(row["container_id"])["Config"]["Labels"][harness.LABEL_INSTANCE], self.id)

    def test_silence_is_an_empty_string(self):
        self.assertEqual(self.bytes("get_container_logs", self.id)[1], b"")

    def test_logs(self):
        instance_id = new_instance()
        self.call("start_instance", "chatter", instance_id, "600")
        def all_said():
            lines = self.bytes("get_container_logs", instance_id)[1].decode(errors="replace").splitlines()
            return lines if sum("done" in line for line in lines) == 3 else None
        lines = wait_for(all_said, 60, "everybody's last line")
        services = {re.split(r"\W", line, 1)[0] for line in lines}
        self.assertEqual(services, {"ping", "pong", "odd"})
        times = [float(line.split(" at ")[1].split()[0]) for line in lines if " at " in line]
        self.assertEqual(times, sorted(times))
        kind, last = self.bytes("get_container_logs", instance_id, options=["--tail", "2", "--service", "ping"])
        self.assertIn("text/plain", kind)
        self.assertEqual(len(last.splitlines()), 2)
        self.assertIn(b"ping done", last)
        self.assertNotIn(b"pong", last)
        self.call("stop_instance", instance_id)

    def test_nothing_recorded_is_no_error(self):
        traffic = json.loads(self.call("get_traffic", self.id))
        self.assertEqual((traffic["instance_id"], traffic["flows"]), (self.id, []))
        self.assertIn("next", traffic)
        self.assertIsNone(misfit(json.loads(self.call("get_traffic", self.id, options=["--har"])), HAR))
        self.assertEqual(self.bytes("get_pcap", self.id)[1], b"")
        self.refused(404, "get_openvpn_config", self.id)

    def test_agent_runtime(self):
        runtime = json.loads(self.call("get_agent_runtime", self.id, options=["--json"]))
        self.assertIsNone(misfit(runtime, AGENT_RUNTIME))
        self.assertEqual((runtime["proxy_url"], runtime["endpoints"]), (None, self.row["endpoints"]))
        network = engine.json("GET", f"/networks/{runtime['docker']['network']}")
        self.assertEqual(network["Labels"][harness.LABEL_INSTANCE], self.id)

    def test_attachments(self):
        listed = self.told(ATTACHMENTS, "list_instance_attachments", self.id)["attachments"]
        self.assertEqual({entry["filename"] for entry in listed}, {"hello.txt", "read me.txt", "bytes.bin"})
        for entry in listed:
            kind, content = self.bytes("download_instance_attachment", self.id, entry["filename"])
            self.assertEqual((kind.split(";")[0], len(content), sha256(content)),
                             (entry["content_type"].split(";")[0], entry["size"], entry["sha256"]))
        self.assertIn(b"flag{looked}", self.bytes("download_instance_attachment", self.id, "hello.txt")[1])
        for name in ["absent", "HELLO.TXT", "../status", "/etc/passwd", "../../../../etc/passwd", "hello.txt/", "."]:
            with self.subTest(name=name):
                kind, status, _ = self.failure("download_instance_attachment", self.id, name)
                self.assertEqual((kind, status), ("argument", 0) if name == "." else ("node", 404))


class Recorded(ContractTest):
    @classmethod
    def setUpClass(cls):
        """One of which everything is recorded, where its start says."""
        cls.id = new_instance()
        cls.output_dir = os.path.join(node.evidence, "of-the-contract")
        # The first start makes the images of recorder and capture.
        done = sdk(node, ["start_instance", "recorded", cls.id, "900", "flag=flag{recorded}"],
                   ["--timeout", "500", "--output-dir", cls.output_dir + "/"])
        assert done.returncode == 0, done.stderr
        cls.row = json.loads(done.stdout)
        endpoint, = cls.row["endpoints"]
        for name in ["first", "second"]:
            fetch_soon(endpoint["host"], endpoint["port"], f"/{name}", 60)

    def flows(self, count, *options):
        def enough():
            page = json.loads(self.call("get_traffic", self.id, options=options))
            return page if len(page["flows"]) >= count else None
        page = wait_for(enough, 60, f"{count} flows")
        self.assertIsNone(misfit(page["flows"], [FLOW]))
        half = [flow for flow in page["flows"] if not flow["response"] and not flow["error"]]
        self.assertEqual(half, [], "what has no answer says why")
        self.assertEqual(page["instance_id"], self.id)
        return page

    def answered_flows(self):
        """Until the service listened, the first was asked in vain: these are flows without an answer."""
        def both():
            every = self.flows(2)["flows"]
            return every if every[-1]["response"] and every[-1]["request"]["url"].endswith("/second") else None
        return wait_for(both, 60, "the answer to the second request")

    def test_traffic_in_pages(self):
        every = self.answered_flows()
        self.assertEqual(len({flow["id"] for flow in every}), len(every))
        first = next(flow for flow in every if flow["response"] and flow["request"]["url"].endswith("/first"))
        self.assertEqual(first["request"]["method"], "GET")
        self.assertEqual(first["response"]["body"]["text"], "/first")
        self.assertTrue(every[-1]["request"]["url"].endswith("/second"))
        first = self.flows(1, "--limit", "1")
        self.assertEqual(first["flows"], every[:1])
        rest = self.flows(1, "--since", str(first["next"]))
        self.assertEqual(rest["flows"], every[1:])
        end = json.loads(self.call("get_traffic", self.id, options=["--since", str(rest["next"])]))
        self.assertEqual(end["flows"], [])

    def test_traffic_as_har(self):
        self.answered_flows()
        har = json.loads(self.call("get_traffic", self.id, options=["--har"]))
        self.assertIsNone(misfit(har, HAR))
        urls = [entry["request"]["url"] for entry in har["log"]["entries"]]
        self.assertTrue(urls[-1].endswith("/second"), urls)

    def test_traffic_is_where_the_start_said(self):
        self.answered_flows()
        files = [os.path.join(parent, name) for parent, _, names in os.walk(self.output_dir) for name in names]
        self.assertTrue(any(b"/second" in open(name, "rb").read() for name in files), files)

    def test_packets(self):
        def capture():
            content = self.bytes("get_pcap", self.id)[1]
            return content if b"/second" in content else None
        content = wait_for(capture, 60, "a capture with the request in it")
        self.assertIn(content[:4], [b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d"])

    def test_sidecars_are_containers(self):
        rows = self.told(CONTAINERS, "list_containers", self.id)
        self.assertEqual([row["service"] for row in rows if row["role"] == "service"], ["web"])
        self.assertGreaterEqual(sum(row["role"] == "sidecar" for row in rows), 2)
        self.assertEqual({row["container_id"] for row in rows}, set(node.made(self.id)["container"]))

    def test_an_agent_is_told_all_it_needs(self):
        def ready():
            done = sdk(node, ["get_agent_runtime", self.id], ["--json"])
            return json.loads(done.stdout) if done.returncode == 0 else None
        runtime = wait_for(ready, 60, "the recorder's keys")
        self.assertIsNone(misfit(runtime, AGENT_RUNTIME))
        self.assertIn("BEGIN CERTIFICATE", runtime["ca_pem"])
        self.assertEqual(runtime["env"]["HTTP_PROXY"], runtime["proxy_url"])
        self.assertEqual(runtime["endpoints"], self.row["endpoints"])


class Vpn(ContractTest):
    def test_in_the_making_then_byte_for_byte(self):
        instance_id = new_instance()
        self.call("start_instance", "vpn-own", instance_id, "600", "flag=flag{profile}")
        self.refused(503, "get_openvpn_config", instance_id)
        reply = self.assertError(node.call("GET", f"/instances/{instance_id}/openvpn-config"), 503)
        self.assertRegex(reply.headers["Retry-After"], r"^\d+$")
        container, = node.made(instance_id)["container"]
        engine.exec(container, ["touch", "/go"])
        done = wait_for(lambda: (d := sdk(node, ["get_openvpn_config", instance_id])).returncode == 0 and d,
                        60, "the profile")
        self.assertEqual(done.stdout.split(b"\n", 1)[1], b"flag{profile}\r\n\0end")
        self.call("stop_instance", instance_id)
        self.assertIn(self.failure("get_openvpn_config", instance_id)[1], {404, 409})


if __name__ == "__main__":
    harness.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An instance's life as the contract tells it: started, found again, prolonged, stopped, expired."""

import json
import os
import shutil
import time

import harness
from harness import Node, NodeTest, engine, fetch_soon, instant, new_id, parallel, wait_for

node = None


def setUpModule():
    global node
    node = Node(ready_networks=3)


class Start(NodeTest):
    def test_the_row_says_all(self):
        began = time.time()
        row, spec = node.begin("web")
        self.assertEqual(row["instance_id"], spec["instance_id"])
        self.assertEqual(row["challenge_id"], "web")
        self.assertEqual(row["status"], "running")
        self.assertTime(row["started_at"])
        self.assertTime(row["expires_at"])
        self.assertGreaterEqual(instant(row["started_at"]), began - 2)
        self.assertLessEqual(instant(row["started_at"]), time.time() + 2)
        self.assertAlmostEqual(instant(row["expires_at"]) - began, 600, delta=30)
        self.assertEqual([s["service"] for s in row["services"]], ["web"])
        self.assertEqual(len(row["endpoints"]), 1)
        endpoint = row["endpoints"][0]
        self.assertEqual({**endpoint, "port": 0, "url": ""},
                         {"service": "web", "container_port": 8080, "protocol": "tcp",
                          "host": "127.0.0.1", "port": 0, "url": ""})
        self.assertIn(endpoint["port"], range(node.ports[0], node.ports[1] + 1))
        if endpoint["url"] is not None: # the port is not said to be HTTP: null is fine
            self.assertIn(f"127.0.0.1:{endpoint['port']}", endpoint["url"])
        self.assertEqual(fetch_soon("127.0.0.1", endpoint["port"]), spec["answers"]["flag"])

        status = node.status(spec["instance_id"]).json
        for key in ["instance_id", "challenge_id", "status", "endpoints", "started_at", "expires_at"]:
            self.assertEqual(status[key], row[key], key)
        self.assertIn("detail", status)
        service = status["services"][0]
        self.assertEqual(service["service"], "web")
        self.assertEqual(service["state"], "running")
        for key in ["health", "exit_code", "oom_killed"]:
            self.assertIn(key, service)
        self.assertFalse(service["oom_killed"])

    def test_answered_means_every_container_runs(self):
        row, _ = node.begin("pair")
        self.assertRunning(node, row["instance_id"], services=2)
        self.assertEqual(sorted(s["service"] for s in row["services"]), ["back", "front"])
        self.assertEqual([(e["service"], e["container_port"]) for e in row["endpoints"]], [("front", 8080)])

    def test_two_instances_share_nothing_and_have_their_own_flags(self):
        """The compose file fixes the host port and the container's name: both still start."""
        (a, spec_a), (b, spec_b) = parallel([lambda: node.begin("web")] * 2)
        ports = [a["endpoints"][0]["port"], b["endpoints"][0]["port"]]
        self.assertNotEqual(*ports)
        self.assertEqual([fetch_soon("127.0.0.1", port) for port in ports],
                         [spec_a["answers"]["flag"], spec_b["answers"]["flag"]])
        networks = [set(c["NetworkSettings"]["Networks"][n]["NetworkID"]
                        for c in node.containers(s["instance_id"]).values()
                        for n in c["NetworkSettings"]["Networks"]) for s in [spec_a, spec_b]]
        self.assertTrue(networks[0].isdisjoint(networks[1]), networks)

    def test_an_answer_arrives_as_it_is(self):
        odd = "flag{a$b ${HOME} $$ \"q\" 'q' \\n \\ # é\u2603 {{x}} `id` %s}"
        _, spec = node.begin("plain", answers={"flag": odd})
        environment = node.containers(spec["instance_id"])["one"]["Config"]["Env"]
        self.assertIn("FLAG=" + odd, environment)

    def test_every_question_has_its_variable(self):
        answers = {"user": "flag{user_1}", "admin": "flag{admin_2}"}
        _, spec = node.begin("two-answers", answers=answers)
        environment = node.containers(spec["instance_id"])["one"]["Config"]["Env"]
        self.assertIn("USER_FLAG=flag{user_1}", environment)
        self.assertIn("ADMIN_FLAG=flag{admin_2}", environment)

    def test_the_longest_and_oddest_id_works(self):
        long = (harness.PREFIX + "A.b_C-" + "9" * 63)[:63]
        for instance_id in [long, harness.PREFIX + "X_.-._-"]:
            with self.subTest(id=instance_id):
                node.begin("plain", instance_id=instance_id)
                self.assertRunning(node, instance_id)
                self.assertStatus(node.stop(instance_id), 204)
                self.assertGone(node, instance_id)

    def test_ids_that_differ_in_case_or_signs_are_different_instances(self):
        base = new_id("twin")
        ids = [base + "-a.b", base + "-a_b", base + "-A.B", base + "-a-b"]
        replies = parallel([lambda i=i: node.post(node.spec("plain", instance_id=i)) for i in ids])
        self.assertEqual([r.status for r in replies], [201] * 4, replies)
        self.assertStatus(node.stop(ids[0]), 204)
        for instance_id in ids[1:]:
            self.assertRunning(node, instance_id)
        self.assertGone(node, ids[0])

    def test_an_unknown_challenge_is_404(self):
        spec = node.spec("no-such-challenge")
        reply = self.assertError(node.post(spec), 404)
        self.assertIn("no-such-challenge", reply.detail)
        self.assertError(node.status(spec["instance_id"]), 404)

    def test_unknown_fields_are_ignored(self):
        _, spec = node.begin("plain", colour="blue", nested={"a": [1]})
        del spec["colour"], spec["nested"]
        self.assertStatus(node.post(spec), 200)

    def test_the_same_again_is_the_same_instance(self):
        row, spec = node.begin("web")
        again = [
            node.post(spec),
            node.post(dict(reversed(spec.items()))), # the order of members means nothing
            node.post({**spec, "proxy_output_dir": None}), # null and absent are the same
            node.post(spec, respond_async=True),
        ]
        for reply in again:
            self.assertStatus(reply, 200)
            self.assertEqual(reply.json["instance_id"], row["instance_id"])
            self.assertEqual(reply.json["endpoints"], row["endpoints"])
            self.assertEqual(reply.json["started_at"], row["started_at"])
            self.assertEqual(reply.json["status"], "running")
        self.assertEqual(len(node.made(spec["instance_id"])["container"]), 1)

    def test_no_answers_are_the_same_however_they_are_said(self):
        spec = node.spec("plain", answers={})
        self.assertStatus(node.post(spec), 201)
        self.assertStatus(node.post({**spec, "answers": None}), 200)
        self.assertStatus(node.post({k: v for k, v in spec.items() if k != "answers"}), 200)

    def test_the_same_id_with_another_body_is_a_conflict(self):
        _, spec = node.begin("plain")
        for change in [{"ttl": 601}, {"answers": {"flag": "flag{other}"}}, {"challenge_id": "web"},
                       {"answers": {**spec["answers"], "more": "x"}}]:
            with self.subTest(change=change):
                reply = self.assertError(node.post({**spec, **change}), 409)
                self.assertIn(spec["instance_id"], reply.detail)
        self.assertRunning(node, spec["instance_id"])

    def test_identical_starts_at_once_make_one_instance(self):
        spec = node.spec("web")
        replies = parallel([lambda: node.post(spec)] * 6)
        self.assertEqual(sorted(r.status for r in replies), [200] * 5 + [201], replies)
        self.assertEqual(len(node.made(spec["instance_id"])["container"]), 1)
        self.assertRunning(node, spec["instance_id"])

    def test_rivals_for_an_id_leave_one_winner(self):
        instance_id = new_id("rival")
        specs = [node.spec("plain", instance_id=instance_id, ttl=600 + n) for n in range(4)]
        replies = parallel([lambda s=s: node.post(s) for s in specs])
        self.assertEqual(sorted(r.status for r in replies), [201, 409, 409, 409], replies)
        self.assertEqual(len(node.made(instance_id)["container"]), 1)

    def test_asynchronously_it_is_202_at_once_and_running_later(self):
        spec = node.spec("pair")
        began = time.monotonic()
        reply = self.assertStatus(node.post(spec, respond_async=True), 202)
        took = time.monotonic() - began
        self.assertEqual(reply.json["status"], "starting")
        self.assertEqual(reply.json["instance_id"], spec["instance_id"])
        self.assertLess(took, 2)
        wait_for(lambda: node.state_of(spec["instance_id"]) == "running", 30, "running")
        self.assertRunning(node, spec["instance_id"], services=2)
        self.assertEqual(len(node.status(spec["instance_id"]).json["endpoints"]), 1)

    def test_other_preferences_change_nothing(self):
        for prefer, expected in [("return=minimal", [201]), ("wait=10", [201]), ("Respond-Async", [202]),
                                 ("respond-async, wait=10", [201, 202])]: # it may wait, then
            with self.subTest(prefer=prefer):
                spec = node.spec("plain")
                reply = node.call("POST", "/instances", spec, headers={"Prefer": prefer})
                self.assertStatus(reply, *expected)


class Validation(NodeTest):
    def assertInvalid(self, reply, loc):
        """422 in FastAPI's shape, one of whose entries is at loc."""
        self.assertError(reply, 422)
        detail = reply.json["detail"]
        self.assertIsInstance(detail, list, reply)
        for entry in detail:
            self.assertIsInstance(entry["loc"], list)
            self.assertTrue(entry["msg"] and isinstance(entry["msg"], str), entry)
            self.assertTrue(entry["type"] and isinstance(entry["type"], str), entry)
        self.assertTrue(any(entry["loc"][:len(loc)] == loc for entry in detail),
                        f"no entry is at {loc}: {reply}")

    def test_what_a_start_needs(self):
        for field in ["challenge_id", "instance_id", "ttl"]:
            spec = node.spec("plain")
            del spec[field]
            with self.subTest(missing=field):
                self.assertInvalid(node.post(spec), ["body", field])

    def test_all_faults_are_told_at_once(self):
        reply = node.post({"ttl": 0, "challenge_id": "../x"})
        for field in ["ttl", "challenge_id", "instance_id"]:
            self.assertInvalid(reply, ["body", field])

    def test_wrong_values(self):
        bad_ids = ["", "-a", ".a", "_a", "a b", "a/b", "../a", "a\n", "a\0b", "é", "a" * 64, 5, None, True,
                   ["a"], {"a": 1}]
        cases = [("challenge_id", value) for value in bad_ids]
        cases += [("instance_id", value) for value in bad_ids]
        cases += [("ttl", value) for value in [0, -1, 1.5, "soon", None, [], {}, True, 2 ** 62, 10 ** 30, -10 ** 30]]
        cases += [("answers", value) for value in [[], "x", 5, True, ["flag"], {"flag": {}},
                                                   {"flag": ["x"]}, {"flag": None}, {"flag": 5}]]
        cases += [("proxy_output_dir", value) for value in [5, [], True, {}]]
        for field, value in cases:
            with self.subTest(field=field, value=value):
                spec = node.spec("plain", **{field: value})
                # NUL and numbers beyond 64 bits may be a fault of the JSON already.
                strict = value not in ["a\0b", 10 ** 30, -10 ** 30]
                self.assertInvalid(node.post(spec), ["body", field] if strict else ["body"])

    def test_bodies_that_are_no_object(self):
        for body in [b"[]", b'"x"', b"5", b"null", b"true"]:
            with self.subTest(body=body):
                self.assertInvalid(node.call("POST", "/instances", body), ["body"])

    def test_bodies_that_are_no_json(self):
        """Whether that is 400 or 422 is open; that it is told is not."""
        deep = b'{"answers": ' + b'{"a": ' * 100000 + b"1" + b"}" * 100001
        for body in [b"", b"{", b"{}}", b"{'a': 1}", b'{"ttl": NaN}', b'{"ttl": 01}', b"\xff\xfe", b"\0",
                     b'{"instance_id": "\xff"}', b'{"instance_id": "\\ud800"}', deep]:
            with self.subTest(body=body[:30]):
                self.assertError(node.call("POST", "/instances", body), 400, 413, 422)

    def test_the_recording_stays_below_the_evidence(self):
        outside = os.path.join(node.evidence, "way-out")
        if not os.path.islink(outside):
            os.symlink("/tmp", outside)
        for path in ["/etc", "/", "/tmp/elsewhere", node.evidence + "-beside", node.evidence + "/../x",
                     "../x", outside, outside + "/x", node.state]:
            with self.subTest(path=path):
                spec = node.spec("plain", proxy_output_dir=path)
                self.assertInvalid(node.post(spec), ["body", "proxy_output_dir"])
                self.assertError(node.status(spec["instance_id"]), 404)
        node.begin("plain", proxy_output_dir=os.path.join(node.evidence, "team-1", "flows"))

    def test_a_refused_start_leaves_nothing(self):
        spec = node.spec("plain", ttl=0)
        self.assertError(node.post(spec), 422)
        self.assertGone(node, spec["instance_id"])
        self.assertError(node.stop(spec["instance_id"]), 404)

    def test_a_ttl_is_validated_when_patched_too(self):
        row, _ = node.begin("plain")
        path = f"/instances/{row['instance_id']}"
        for body in [{}, {"ttl": 0}, {"ttl": -5}, {"ttl": "x"}, {"ttl": None}, {"ttl": 2 ** 62}]:
            with self.subTest(body=body):
                self.assertInvalid(node.call("PATCH", path, body), ["body", "ttl"])
        self.assertError(node.call("PATCH", path, b"{"), 400, 422)
        self.assertEqual(node.status(row["instance_id"]).json["expires_at"], row["expires_at"])


class Stop(NodeTest):
    def test_gone_means_gone(self):
        row, spec = node.begin("disks")
        containers = node.containers(spec["instance_id"]).values()
        self.assertEqual(len(containers), 2)
        networks = {n["NetworkID"] for c in containers for n in c["NetworkSettings"]["Networks"].values()}
        volumes = {m["Name"] for c in containers for m in c["Mounts"] if m["Type"] == "volume"}
        self.assertEqual(len(volumes), 2, "a named one and an anonymous one")
        reply = self.assertStatus(node.stop(spec["instance_id"]), 204)
        self.assertEqual(reply.body, b"")
        self.assertGone(node, spec["instance_id"])
        for name in volumes:
            self.assertEqual(engine.call("GET", f"/volumes/{name}")[0], 404, name)
        for network in networks: # gone, or emptied and kept ready
            status, data = engine.call("GET", f"/networks/{network}")
            if status != 404:
                self.assertIn(harness.LABEL_POOL, json.loads(data)["Labels"])
                self.assertEqual(json.loads(data)["Containers"], {})

    def test_stopping_twice_is_fine(self):
        row, _ = node.begin("plain")
        self.assertStatus(node.stop(row["instance_id"]), 204)
        self.assertStatus(node.stop(row["instance_id"]), 204)
        self.assertEqual(node.state_of(row["instance_id"]), "stopped")

    def test_stopping_from_many_sides_is_fine(self):
        row, _ = node.begin("pair")
        replies = parallel([lambda: node.stop(row["instance_id"])] * 5)
        self.assertEqual([r.status for r in replies], [204] * 5, replies)
        self.assertGone(node, row["instance_id"])

    def test_stopping_what_never_was_is_404(self):
        self.assertError(node.stop(new_id("never")), 404)

    def test_the_host_port_is_free_again(self):
        row, _ = node.begin("web")
        port = row["endpoints"][0]["port"]
        self.assertStatus(node.stop(row["instance_id"]), 204)
        wait_for(lambda: harness.port_is_free(port), 2, f"port {port} free")

    def test_a_stubborn_process_does_not_hold_it_up(self):
        """PID 1 without handlers ignores SIGTERM: a patient engine would wait ten seconds."""
        row, _ = node.begin("leaves")
        began = time.monotonic()
        self.assertStatus(node.stop(row["instance_id"]), 204)
        self.assertLess(time.monotonic() - began, 8)

    def test_what_is_gone_already_can_still_be_stopped(self):
        row, _ = node.begin("pair")
        for container in node.made(row["instance_id"])["container"]:
            engine.call("DELETE", f"/containers/{container}?force=1")
        self.assertStatus(node.stop(row["instance_id"]), 204)
        self.assertGone(node, row["instance_id"])

    def test_a_stopped_id_may_be_asked_for_again(self):
        """The contract leaves open what happens; but it is told, and what is told is true."""
        row, spec = node.begin("plain")
        self.assertStatus(node.stop(row["instance_id"]), 204)
        reply = self.assertStatus(node.post(spec), 200, 201, 409)
        if reply.status != 409 and reply.json["status"] == "running":
            self.assertRunning(node, row["instance_id"])
        else:
            self.assertGone(node, row["instance_id"])


class Expiry(NodeTest):
    def test_an_instance_ends_at_its_time(self):
        row, spec = node.begin("web", ttl=2)
        self.assertEqual(node.state_of(row["instance_id"]), "running")
        wait_for(lambda: node.state_of(row["instance_id"]) == "expired", 12, "expired")
        self.assertGreaterEqual(time.time(), instant(row["expires_at"]) - 0.5)
        self.assertGone(node, row["instance_id"], seconds=5)
        self.assertStatus(node.stop(row["instance_id"]), 204)

    def test_patch_prolongs(self):
        row, _ = node.begin("plain", ttl=3)
        path = f"/instances/{row['instance_id']}"
        self.assertIn(node.call("PATCH", path, {"ttl": 500.0, "more": 1}).status, [200, 204])
        status = node.status(row["instance_id"]).json
        self.assertTime(status["expires_at"])
        self.assertAlmostEqual(instant(status["expires_at"]), time.time() + 500, delta=10)
        node.wait_for_end_of_another(row) # and so past its first end
        self.assertRunning(node, row["instance_id"])

    def test_patch_shortens(self):
        row, _ = node.begin("plain", ttl=500)
        self.assertIn(node.call("PATCH", f"/instances/{row['instance_id']}", {"ttl": 1}).status, [200, 204])
        wait_for(lambda: node.state_of(row["instance_id"]) == "expired", 12, "expired")
        self.assertGone(node, row["instance_id"], seconds=5)

    def test_a_prolonged_instance_is_still_the_same_start(self):
        """The body is what was asked, not what became of it."""
        row, spec = node.begin("plain")
        self.assertIn(node.call("PATCH", f"/instances/{row['instance_id']}", {"ttl": 900}).status, [200, 204])
        self.assertStatus(node.post(spec), 200)

    def test_what_has_ended_cannot_be_prolonged(self):
        row, _ = node.begin("plain")
        self.assertStatus(node.stop(row["instance_id"]), 204)
        self.assertError(node.call("PATCH", f"/instances/{row['instance_id']}", {"ttl": 60}), 404, 409)


class Everything(NodeTest):
    """Calls that concern the whole node: a node of their own."""

    def setUp(self):
        self.node = Node()
        self.addCleanup(self.node.close)

    def test_stop_all_stops_all(self):
        begun = parallel([lambda c=c: self.node.begin(c) for c in ["plain", "web", "pair", "disks"]])
        ids = sorted(row["instance_id"] for row, _ in begun)
        label = self.node.label()
        reply = self.assertStatus(self.node.call("POST", "/admin/stop-all"), 200)
        self.assertEqual(sorted(reply.json["stopped"]), ids)
        self.assertEqual(reply.json["failed"], [])
        self.assertNothingLeft(label)
        self.assertEqual(self.node.running(), 0)
        self.assertEqual({self.node.state_of(i) for i in ids}, {"stopped"})
        again = self.assertStatus(self.node.call("POST", "/admin/stop-all"), 200)
        self.assertEqual(again.json, {"stopped": [], "failed": []})

    def test_stop_all_is_only_this_nodes(self):
        other = Node()
        self.addCleanup(other.close)
        theirs, _ = other.begin("web")
        ours, _ = self.node.begin("plain")
        stranger = engine.run(new_id("stranger"), "ctfy/busybox", ["sleep", "600"])
        self.addCleanup(engine.call, "DELETE", f"/containers/{stranger}?force=1")
        self.assertEqual(self.node.call("POST", "/admin/stop-all").json["stopped"], [ours["instance_id"]])
        self.node.restart() # nor does the sweep of a new start
        self.assertRunning(other, theirs["instance_id"])
        self.assertTrue(engine.inspect(stranger)["State"]["Running"])
        self.assertError(self.node.stop(theirs["instance_id"]), 404)
        self.assertRunning(other, theirs["instance_id"])

    def test_rescan_tells_what_changed(self):
        folder = self.node.challenges
        count = len(os.listdir(folder))
        def rescan():
            told = self.assertStatus(self.node.call("POST", "/admin/rescan-challenges"), 200).json
            told.pop("changed", None) # more than the contract asks for
            return told

        self.assertEqual(rescan(), {"total": count, "added": [], "removed": [], "errors": []})

        row, spec = self.node.begin("web")
        os.rename(os.path.join(folder, "web"), os.path.join(self.node.dir, "web-kept"))
        os.rename(os.path.join(folder, "udp"), os.path.join(self.node.dir, "udp-kept"))
        shutil.copytree(os.path.join(folder, "plain"), os.path.join(folder, "newcomer"))
        broken = os.path.join(folder, "broken")
        os.mkdir(broken)
        with open(os.path.join(broken, "challenge.yml"), "w") as file:
            file.write("name: Broken\nvalue: [unclosed\n")
        result = rescan()
        self.assertEqual(result["total"], count - 2 + 1)
        self.assertEqual(result["added"], ["newcomer"])
        self.assertEqual(sorted(result["removed"]), ["udp", "web"])
        self.assertEqual(len(result["errors"]), 1, result)
        self.assertIn("broken", result["errors"][0]["path"])
        self.assertTrue(result["errors"][0]["detail"])

        self.assertRunning(self.node, row["instance_id"])
        self.assertEqual(fetch_soon("127.0.0.1", row["endpoints"][0]["port"]), spec["answers"]["flag"])
        self.assertStatus(self.node.post(spec), 200)
        self.assertError(self.node.post(self.node.spec("web")), 404)
        self.assertStatus(self.node.post(self.node.spec("newcomer")), 201)
        self.assertStatus(self.node.stop(row["instance_id"]), 204)

    def test_rescan_drops_what_was_remembered_of_a_challenge(self):
        self.node.begin("plain")
        path = os.path.join(self.node.challenges, "plain", "compose.yml")
        with open(path, "a") as file:
            file.write("      CHANGED: very\n")
        self.assertStatus(self.node.call("POST", "/admin/rescan-challenges"), 200)
        _, spec = self.node.begin("plain")
        self.assertIn("CHANGED=very", self.node.containers(spec["instance_id"])["one"]["Config"]["Env"])

    def test_a_folder_of_challenges_may_be_gone_or_empty(self):
        shutil.rmtree(self.node.challenges)
        reply = self.node.call("POST", "/admin/rescan-challenges")
        # Gone is an error or none are left: open. A crash is not.
        if reply.status == 200:
            self.assertEqual(reply.json["total"], 0)
        else:
            self.assertError(reply, 400, 500, 502, 503)
        os.mkdir(self.node.challenges)
        reply = self.assertStatus(self.node.call("POST", "/admin/rescan-challenges"), 200)
        self.assertEqual(reply.json["total"], 0)


if __name__ == "__main__":
    harness.main()

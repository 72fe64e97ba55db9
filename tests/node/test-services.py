#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the node says of an instance's services: health, containers, logs. And what it gives them:
limits, labels, an order to start in, volumes, files of their own, published ports."""

import json
import os
import re
import socket
import time
from datetime import datetime, timezone

import harness
from harness import Node, NodeTest, engine, fetch_soon, new_id, parallel, sha256, wait_for

SHARED = ["healthy", "sick", "silent", "late", "leaves", "hungry", "prepared", "patient", "udp",
          "chatter", "disks", "pair", "seeded", "spent", "relapse", "inward"]

node = None
rows = {} # of the instances that tests only look at
specs = {}


def setUpModule():
    global node
    node = Node(ready_networks=3)
    began = parallel([lambda c=c: node.begin(c) for c in SHARED])
    for name, (row, spec) in zip(SHARED, began):
        rows[name], specs[name] = row, spec


def id_of(challenge):
    return specs[challenge]["instance_id"]


def nanoseconds(text):
    """An engine's time, which has nine decimals."""
    seconds, _, fraction = text.rstrip("Z").partition(".")
    base = datetime.fromisoformat(seconds).replace(tzinfo=timezone.utc)
    return int(base.timestamp()) * 10 ** 9 + int((fraction + "0" * 9)[:9])


class Health(NodeTest):
    def services(self, challenge):
        return {s["service"]: s for s in node.health(id_of(challenge))["services"]}

    def assertBecomes(self, challenge, healthy, seconds=15):
        wait_for(lambda: node.health(id_of(challenge))["is_healthy"] is healthy, seconds,
                 lambda: f"'{challenge}' is_healthy {healthy}: {node.health(id_of(challenge))}")

    def test_a_passing_check_is_healthy(self):
        self.assertBecomes("healthy", True)
        services = self.services("healthy")
        self.assertEqual(sorted(services), ["helper", "web"])
        self.assertEqual(services["web"]["health"], "healthy")
        self.assertEqual(services["web"]["state"], "running")

    def test_a_failing_check_is_not_though_the_port_answers(self):
        wait_for(lambda: self.services("sick")["web"]["health"] == "unhealthy", 15, "the service's health 'unhealthy'")
        self.assertIs(node.health(id_of("sick"))["is_healthy"], False)

    def test_a_service_that_does_not_listen_is_not_healthy(self):
        """The engine's own proxy accepts on the published port whether anyone listens or not."""
        time.sleep(max(0, 1.5 - (time.time() - os.path.getmtime(node.token_file))))
        for _ in range(3):
            self.assertIs(node.health(id_of("silent"))["is_healthy"], False)
        self.assertRunning(node, id_of("silent"))

    def test_a_late_listener_becomes_healthy(self):
        row, spec = node.begin("late")
        specs["late"] = spec
        self.assertIs(node.health(id_of("late"))["is_healthy"], False)
        self.assertBecomes("late", True)

    def test_a_service_that_left_is_not_healthy(self):
        self.assertBecomes("leaves", False, 5)
        services = self.services("leaves")
        self.assertEqual(services["stays"]["state"], "running")
        self.assertEqual(services["goes"]["state"], "exited")
        status = {s["service"]: s for s in node.status(id_of("leaves")).json["services"]}
        self.assertEqual(status["goes"]["exit_code"], 7)
        self.assertIs(status["goes"]["oom_killed"], False)

    def test_a_service_out_of_memory_is_told(self):
        def killed():
            service = node.status(id_of("hungry")).json["services"][0]
            return service["state"] == "exited" and service
        service = wait_for(killed, 20, "the glutton's end")
        self.assertIs(service["oom_killed"], True)
        self.assertEqual(service["exit_code"], 137)
        self.assertIs(node.health(id_of("hungry"))["is_healthy"], False)

    def test_a_job_that_is_done_is_healthy(self):
        self.assertBecomes("prepared", True)
        self.assertEqual(self.services("prepared")["prepare"]["state"], "exited")

    def test_a_helper_that_ended_with_0_has_done_its_work(self):
        """Nobody waited for it to complete; it has no policy to be started again, or one after failures alone."""
        self.assertBecomes("seeded", True)
        services = self.services("seeded")
        for name in ["seed", "retried"]:
            self.assertEqual(services[name]["state"], "exited")
            self.assertFalse(services[name].get("detail"), services[name])

    def test_a_service_that_players_come_to_has_not(self):
        wait_for(lambda: self.services("spent")["web"]["state"] == "exited", 15, "its end")
        self.assertIs(node.health(id_of("spent"))["is_healthy"], False)
        self.assertEqual(self.services("spent")["web"]["detail"], "not running")

    def test_an_instance_of_which_nothing_runs_is_not_healthy(self):
        row, _ = node.begin("over")
        def ended():
            found = node.health(row["instance_id"])
            return found["services"][0]["state"] == "exited" and found
        self.assertIs(wait_for(ended, 15, "its end")["is_healthy"], False)

    def test_a_check_with_a_long_interval_is_made_early(self):
        """The engine itself makes its first one after 150 s, which is longer than a start may take."""
        row, _ = node.begin("slow-check")
        database = node.containers(row["instance_id"])["db"]["Id"]
        def healthy():
            found = node.health(row["instance_id"])
            return found["is_healthy"] and found
        found = wait_for(healthy, 30, lambda: f"healthy: {node.health(row['instance_id'])}")
        self.assertEqual({s["service"]: s["health"] for s in found["services"]}["db"], "healthy")
        self.assertEqual(engine.inspect(database)["State"]["Health"]["Status"], "starting")
        containers = node.call("GET", f"/instances/{row['instance_id']}/containers").json
        self.assertEqual({c["service"]: c["health"] for c in containers}["db"], "healthy")

    def test_a_check_that_takes_too_long_is_left_to_the_engine(self):
        row, _ = node.begin("stubborn")
        container = node.containers(row["instance_id"])["web"]["Id"]
        def ask():
            self.assertIs(node.health(row["instance_id"])["is_healthy"], False)
            return engine.exec(container, ["sh", "-c", "pidof sleep; wc -l < /tmp/runs"])[1].split()
        wait_for(lambda: len(ask()) == 2, 30, lambda: f"a check under way: {ask()}")
        wait_for(lambda: ask() == ["1"], 60, lambda: f"its end: {ask()}")
        for _ in range(50): # another would come a second after the last
            self.assertEqual(ask(), ["1"])
            time.sleep(0.1)

    def test_a_check_that_failed_is_made_again_early(self):
        container = node.containers(id_of("relapse"))["web"]["Id"]
        engines_word = lambda: engine.inspect(container)["State"]["Health"]["Status"]
        self.assertIs(node.health(id_of("relapse"))["is_healthy"], False)
        wait_for(lambda: engines_word() == "unhealthy", 60, "the engine's first check")
        self.assertIs(node.health(id_of("relapse"))["is_healthy"], False)
        self.assertEqual(engine.exec(container, ["touch", "/tmp/well"])[0], 0)
        self.assertBecomes("relapse", True)
        self.assertEqual(engines_word(), "unhealthy") # its next check is 20 s after the last

    def test_a_port_that_is_open_inside_alone_is_told_whatever_the_check_says(self):
        def told():
            services = self.services("inward")
            return services["checked"]["health"] == services["open"]["health"] == "healthy" and services
        services = wait_for(told, 15, "checks that pass")
        for name, port in [("checked", "8001/tcp"), ("unchecked", "8002/tcp"), ("udp", "5000/udp")]:
            self.assertIn(f"port {port} is open on 127.0.0.1 alone", services[name].get("detail") or "")
        self.assertFalse(services["open"].get("detail"), services["open"])
        self.assertIs(node.health(id_of("inward"))["is_healthy"], False)

    def test_without_tcp_ports_or_check_running_is_enough(self):
        self.assertBecomes("udp", True, 5)
        self.assertBecomes("disks", True, 5)

    def test_a_death_is_noticed(self):
        row, spec = node.begin("pair")
        wait_for(lambda: node.health(row["instance_id"])["is_healthy"], 15, "healthy")
        back = node.containers(row["instance_id"])["back"]["Id"]
        engine.call("POST", f"/containers/{back}/kill")
        wait_for(lambda: not node.health(row["instance_id"])["is_healthy"], 5, "not healthy")
        services = {s["service"]: s for s in node.status(row["instance_id"]).json["services"]}
        self.assertEqual(services["back"]["state"], "exited")
        self.assertEqual(services["back"]["exit_code"], 137)
        self.assertEqual(services["front"]["state"], "running")
        engine.call("DELETE", f"/containers/{back}?force=1")
        self.assertIs(node.health(row["instance_id"])["is_healthy"], False)

    def test_what_the_engine_calls_running_may_not_be(self):
        row, _ = node.begin("leaves")
        containers = node.containers(row["instance_id"])
        def look(service, state):
            found = node.health(row["instance_id"])
            return {s["service"]: s["state"] for s in found["services"]}[service] == state and found
        wait_for(lambda: look("goes", "exited"), 15, "its end")
        goes, stays = (f"/containers/{containers[name]['Id']}" for name in ("goes", "stays"))
        engine.call("POST", goes + "/update", {"RestartPolicy": {"Name": "always"}})
        engine.call("POST", goes + "/start")
        found = wait_for(lambda: look("goes", "restarting"), 15, "a restart")
        self.assertIs(found["is_healthy"], False)
        engine.call("POST", stays + "/pause")
        paused = next(s for s in look("stays", "paused")["services"] if s["service"] == "stays")
        self.assertEqual(paused["detail"], "paused")

    def test_what_has_been_stopped_is_not_healthy(self):
        row, _ = node.begin("plain")
        self.assertStatus(node.stop(row["instance_id"]), 204)
        reply = node.call("GET", f"/instances/{row['instance_id']}/health")
        if reply.status == 200:
            self.assertIs(reply.json["is_healthy"], False)
        else:
            self.assertError(reply, 404, 409)


class Containers(NodeTest):
    def test_a_row_per_container(self):
        reply = self.assertStatus(node.call("GET", f"/instances/{id_of('healthy')}/containers"), 200)
        self.assertIsInstance(reply.json, list)
        by_service = {row["service"]: row for row in reply.json}
        self.assertEqual(sorted(by_service), ["helper", "web"])
        for service, row in by_service.items():
            inspected = engine.inspect(row["container_id"])
            self.assertEqual(inspected["Config"]["Labels"][harness.LABEL_SERVICE], service)
            self.assertTrue(inspected["Id"].startswith(row["container_id"]))
            self.assertEqual(row["name"].lstrip("/"), inspected["Name"].lstrip("/"))
            self.assertEqual(row["role"], "service")
            self.assertIn("ctfy/busybox", row["image"])
            self.assertEqual(row["state"], "running")
            self.assertIn("health", row)
            self.assertTime(row["created_at"])
            self.assertAlmostEqual(nanoseconds(row["created_at"].replace("+00:00", "Z")) / 1e9,
                                   nanoseconds(inspected["Created"]) / 1e9, delta=1.5)

    def test_a_container_that_left_is_still_a_row(self):
        rows = node.call("GET", f"/instances/{id_of('leaves')}/containers").json
        states = {row["service"]: row["state"] for row in rows}
        self.assertEqual(states, {"stays": "running", "goes": "exited"})

    def test_none_once_stopped(self):
        row, _ = node.begin("plain")
        self.assertStatus(node.stop(row["instance_id"]), 204)
        reply = node.call("GET", f"/instances/{row['instance_id']}/containers")
        if reply.status == 200:
            self.assertEqual(reply.json, [])
        else:
            self.assertError(reply, 404, 409)


class Logs(NodeTest):
    def logs(self, challenge, query=""):
        reply = self.assertStatus(
            node.call("GET", f"/instances/{id_of(challenge)}/container-logs{query}"), 200)
        self.assertIsInstance(reply.json["logs"], str)
        return reply.json["logs"]

    def chatter(self):
        def done():
            text = self.logs("chatter")
            return text if all(f"{who} done" in text for who in ["ping", "pong", "odd"]) else None
        return wait_for(done, 15, "the chatter's end")

    def test_lines_of_all_in_time_order_led_by_their_service(self):
        lines = self.chatter().splitlines()
        told = []
        for line in lines:
            self.assertRegex(line, r"^\W*(ping|pong|odd)\b", "a line that is not led by its service")
            found = re.search(r"^\W*(\w+).*at ([\d.]+) (\w+) (\d)", line)
            if found:
                self.assertEqual(found[1], found[3])
                told.append((float(found[2]), found[1]))
        self.assertEqual(len(told), 12, lines)
        # The clock inside has hundredths; the engine stamps a line a little later.
        for (before, _), (after, _) in zip(told, told[1:]):
            self.assertLess(before - after, 0.1, told)

    def test_stderr_is_there_too(self):
        self.assertIn("pong 3", self.chatter())

    def test_bytes_that_are_no_text_do_not_break_the_answer(self):
        text = self.chatter() # parsed as strict UTF-8 JSON already
        self.assertIn("before", text)
        self.assertIn("binary", text)

    def test_a_long_line_stays_one_line(self):
        """The engine cuts lines at 16 KiB and stamps every piece."""
        self.chatter()
        longest = max(self.logs("chatter", "?service=odd").splitlines(), key=len)
        self.assertIn("x" * 40000, longest)

    def test_of_one_service(self):
        self.chatter()
        text = self.logs("chatter", "?service=ping")
        self.assertIn("ping 6", text)
        self.assertNotIn("pong", text)
        self.assertNotIn("odd done", text)
        reply = node.call("GET", f"/instances/{id_of('chatter')}/container-logs?service=nobody")
        if reply.status == 200: # open: nobody said nothing, or there is nobody
            self.assertEqual(reply.json["logs"], "")
        else:
            self.assertError(reply, 404, 422)

    def test_the_last_lines_only(self):
        self.chatter()
        lines = self.logs("chatter", "?service=ping&tail=3").splitlines()
        self.assertEqual(len(lines), 3, lines)
        self.assertIn("ping done", lines[-1])
        self.assertIn("ping 5", lines[0])
        every = self.chatter().splitlines()
        last = self.logs("chatter", "?tail=4").splitlines()
        self.assertEqual(last, every[-4:])
        self.assertEqual(self.logs("chatter", "?tail=100000").splitlines(), every)
        for bad in ["-1", "x", "1e3", "99999999999999999999"]:
            with self.subTest(tail=bad):
                path = f"/instances/{id_of('chatter')}/container-logs?tail={bad}"
                self.assertError(node.call("GET", path), 422)

    def test_silence_is_an_empty_string(self):
        self.assertEqual(self.logs("silent"), "")

    def test_of_a_container_that_left(self):
        wait_for(lambda: "leaving, without a newline" in self.logs("leaves"), 5, "its last words")


class Settings(NodeTest):
    """What every container gets, seen by the engine."""

    def everyone(self):
        for challenge in SHARED:
            for service, container in node.containers(id_of(challenge)).items():
                yield f"{challenge}/{service}", container

    def test_limits_on_every_container(self):
        for name, container in self.everyone():
            with self.subTest(container=name):
                host = container["HostConfig"]
                self.assertGreater(host["Memory"], 0)
                self.assertGreater(host["PidsLimit"] or 0, 0)
                self.assertGreater(host["NanoCpus"] or host["CpuQuota"], 0)
                self.assertIs(host["Privileged"], False)

    def test_hardening_of_every_container(self):
        """The defaults of issue 3."""
        for name, container in self.everyone():
            with self.subTest(container=name):
                host = container["HostConfig"]
                self.assertTrue(any(o.startswith("no-new-privileges") for o in host["SecurityOpt"] or []))
                self.assertIn("max-size", host["LogConfig"]["Config"])
                self.assertIn("ALL", [c.upper() for c in host["CapDrop"] or []])
                self.assertTrue(any(u["Name"] == "nofile" for u in host["Ulimits"] or []))

    def test_a_limit_of_its_own_is_kept(self):
        host = node.containers(id_of("hungry"))["glutton"]["HostConfig"]
        self.assertEqual(host["Memory"], 16 << 20)

    def test_labels_on_everything(self):
        node_labels = set()
        for challenge in ["disks", "pair", "prepared"]:
            made = node.made(id_of(challenge))
            for kind in ["container", "volume"]:
                for name, labels in made[kind].items():
                    with self.subTest(challenge=challenge, kind=kind, name=name):
                        self.assertEqual(labels[harness.LABEL_INSTANCE], id_of(challenge))
                        self.assertEqual(labels[harness.LABEL_CHALLENGE], challenge)
                        self.assertTrue(labels[harness.LABEL_PROJECT])
                        node_labels.add(labels[harness.LABEL_NODE])
            services = {labels[harness.LABEL_SERVICE] for labels in made["container"].values()}
            self.assertEqual(services, {s["service"] for s in rows[challenge]["services"]})
            # Networks may be recycled between instances: only whose they are has to be on them.
            for container in node.containers(id_of(challenge)).values():
                for network in container["NetworkSettings"]["Networks"].values():
                    labels = engine.json("GET", f"/networks/{network['NetworkID']}")["Labels"]
                    node_labels.add(labels[harness.LABEL_NODE])
        self.assertEqual(len(node_labels), 1, node_labels)

    def test_instances_have_projects_of_their_own(self):
        projects = {labels[harness.LABEL_PROJECT] for challenge in SHARED
                    for labels in node.made(id_of(challenge))["container"].values()}
        self.assertEqual(len(projects), len(SHARED))

    def test_no_container_sees_the_engine(self):
        for name, container in self.everyone():
            sources = [m.get("Source", "") for m in container["Mounts"]]
            self.assertFalse(any("docker.sock" in s for s in sources), (name, sources))

    def test_the_token_is_in_no_container(self):
        for name, container in self.everyone():
            self.assertNotIn(node.token, json.dumps(container), name)


class Order(NodeTest):
    def started(self, challenge):
        return {service: nanoseconds(c["State"]["StartedAt"])
                for service, c in node.containers(id_of(challenge)).items()}

    def test_after_what_it_depends_on(self):
        at = self.started("pair")
        self.assertGreater(at["front"], at["back"])

    def test_after_that_is_healthy(self):
        """The app ends at once where the other has not left its mark yet."""
        at = self.started("patient")
        self.assertGreater(at["app"], at["db"])
        self.assertRunning(node, id_of("patient"), services=2)

    def test_after_that_is_done(self):
        prepare = node.containers(id_of("prepared"))["prepare"]["State"]
        self.assertEqual((prepare["Status"], prepare["ExitCode"]), ("exited", 0))
        self.assertGreaterEqual(self.started("prepared")["web"], nanoseconds(prepare["FinishedAt"]))
        endpoint = rows["prepared"]["endpoints"][0]
        self.assertEqual(fetch_soon("127.0.0.1", endpoint["port"]).strip(),
                         specs["prepared"]["answers"]["flag"])

    def test_what_is_waited_for_in_vain_fails_the_start(self):
        before = node.directories()
        for challenge, blamed, word in [("unprepared", "prepare", "3"), ("hopeless", "db", "unhealthy")]:
            with self.subTest(challenge=challenge):
                spec = node.spec(challenge)
                reply = self.assertError(node.post(spec), 500, 502, 503, 504)
                self.assertIn(blamed, reply.detail)
                self.assertIn(word, reply.detail)
                self.assertGone(node, spec["instance_id"])
        self.assertEqual(node.directories() - before, set())


class Disks(NodeTest):
    def read(self, challenge_id, service, path):
        container = node.containers(challenge_id)[service]["Id"]
        code, text = engine.exec(container, ["cat", path])
        self.assertEqual(code, 0, text)
        return text

    def source_files(self):
        files = {}
        for parent, _, names in os.walk(os.path.join(node.challenges, "disks")):
            for name in names:
                path = os.path.join(parent, name)
                with open(path, "rb") as file:
                    files[os.path.relpath(path, node.challenges)] = (sha256(file.read()), os.stat(path).st_mode)
        return files

    def test_two_instances_keep_to_themselves_and_the_source_stays_clean(self):
        before = self.source_files()
        _, other = node.begin("disks")
        ids = [id_of("disks"), other["instance_id"]]
        flags = [specs["disks"]["answers"]["flag"], other["answers"]["flag"]]
        for instance_id, flag in zip(ids, flags):
            self.assertEqual(self.read(instance_id, "reader", "/shared/flag").strip(), flag)
            self.assertEqual(self.read(instance_id, "reader", "/work/notes.txt"),
                             f"notes of the author\n{flag}\n")
            self.assertEqual(self.read(instance_id, "reader", "/work/new"), "new\n")
            self.assertEqual(self.read(instance_id, "reader", "/etc/motd"), "good day\n")
        reader = node.containers(ids[0])["reader"]["Id"]
        for command in ["echo x > /shared/flag", "echo x > /etc/motd"]:
            code, text = engine.exec(reader, ["sh", "-c", command])
            self.assertNotEqual(code, 0, f"'{command}' worked")
        self.assertEqual(self.source_files(), before)
        directories = node.directories()
        self.assertStatus(node.stop(other["instance_id"]), 204)
        self.assertFalse(any(other["instance_id"] in d for d in node.directories()),
                         node.directories() & directories)
        self.assertEqual(self.source_files(), before)


class Ports(NodeTest):
    def test_a_tcp_port_works_from_the_host(self):
        endpoint = rows["pair"]["endpoints"][0]
        self.assertEqual(fetch_soon(endpoint["host"], endpoint["port"]), "front\n")

    def test_an_udp_port_works_from_the_host(self):
        endpoint, = rows["udp"]["endpoints"]
        self.assertEqual((endpoint["protocol"], endpoint["container_port"]), ("udp", 5000))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            def echo():
                sock.sendto(b"anyone?", (endpoint["host"], endpoint["port"]))
                try:
                    return sock.recv(2000).decode()
                except OSError:
                    return None
            self.assertEqual(wait_for(echo, 10, "an echo"), specs["udp"]["answers"]["flag"] + " anyone?")

    def test_ports_bind_where_configured(self):
        for challenge in SHARED:
            for container in node.containers(id_of(challenge)).values():
                for port, bindings in (container["NetworkSettings"]["Ports"] or {}).items():
                    for binding in bindings or []:
                        self.assertEqual(binding["HostIp"], "127.0.0.1", (challenge, port))
                        self.assertIn(int(binding["HostPort"]), range(node.ports[0], node.ports[1] + 1))

    def test_every_endpoint_has_a_port_of_its_own(self):
        ports = [(e["protocol"], e["port"]) for row in rows.values() for e in row["endpoints"]]
        self.assertEqual(len(ports), len(set(ports)))

    def test_a_service_without_ports_has_no_endpoint(self):
        self.assertEqual({e["service"] for e in rows["pair"]["endpoints"]}, {"front"})
        self.assertEqual(rows["disks"]["endpoints"], [])

    def test_players_are_told_the_public_host(self):
        other = Node(public_host="play.example.test")
        self.addCleanup(other.close)
        row, _ = other.begin("web")
        self.assertEqual(row["endpoints"][0]["host"], "play.example.test")


if __name__ == "__main__":
    harness.main()

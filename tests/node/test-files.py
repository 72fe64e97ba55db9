#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Attachments: listed, rendered for one instance, downloaded in whole and in part, and never a way out."""

import os
import shutil
import urllib.parse

import harness
from harness import Node, NodeTest, sha256

node = None
spec = None
listed = {} # filename: entry
SECRET = "a file of the host, outside of every instance\n"


def setUpModule():
    global node, spec
    node = Node()
    _, spec = node.begin("attached")
    for entry in node.call("GET", path("")).json["attachments"]:
        listed[entry["filename"]] = entry
    with open(os.path.join(node.dir, "secret.txt"), "w") as file:
        file.write(SECRET)


def path(filename, instance_id=None):
    """Of a name that is encoded already."""
    base = f"/instances/{instance_id or spec['instance_id']}/attachments"
    return f"{base}/{filename}" if filename else base


def hello(spec):
    return (f"Instance {spec['instance_id']} of attached.\nThe flag is {spec['answers']['flag']}.\n").encode()


class Listing(NodeTest):
    def test_the_list_says_what_can_be_downloaded(self):
        self.assertEqual(sorted(listed), ["bytes.bin", "hello.txt", "read me.txt"])
        for name, entry in listed.items():
            with self.subTest(name=name):
                reply = self.assertStatus(node.call("GET", path(urllib.parse.quote(name))), 200)
                self.assertEqual(entry["size"], len(reply.body))
                self.assertEqual(entry["sha256"], sha256(reply.body))
                self.assertEqual(reply.headers["Content-Type"].split(";")[0],
                                 entry["content_type"].split(";")[0])
                self.assertEqual(int(reply.headers["Content-Length"]), len(reply.body))

    def test_an_instance_without_attachments_has_an_empty_list(self):
        row, _ = node.begin("plain")
        reply = self.assertStatus(node.call("GET", path("", row["instance_id"])), 200)
        self.assertEqual(reply.json, {"attachments": []})

    def test_content_types(self):
        self.assertTrue(listed["hello.txt"]["content_type"].startswith("text/plain"))
        self.assertEqual(listed["bytes.bin"]["content_type"], "application/octet-stream")


class Content(NodeTest):
    def test_a_template_is_rendered_for_this_instance(self):
        self.assertEqual(node.call("GET", path("hello.txt")).body, hello(spec))
        _, other = node.begin("attached")
        self.assertEqual(node.call("GET", path("hello.txt", other["instance_id"])).body, hello(other))
        self.assertEqual(node.call("GET", path("hello.txt")).body, hello(spec))

    def test_what_is_no_template_stays_as_it_is(self):
        for name in ["plain.txt", "bytes.bin"]:
            with open(os.path.join(harness.CHALLENGES, "attached", name), "rb") as file:
                content = file.read()
            shown = {"plain.txt": "read%20me.txt"}.get(name, name)
            self.assertEqual(node.call("GET", path(shown)).body, content)

    def test_another_instances_files_are_not_this_ones(self):
        row, _ = node.begin("plain")
        self.assertError(node.call("GET", path("hello.txt", row["instance_id"])), 404)

    def test_gone_with_the_instance(self):
        _, other = node.begin("attached")
        self.assertStatus(node.call("GET", path("hello.txt", other["instance_id"])), 200)
        self.assertStatus(node.stop(other["instance_id"]), 204)
        self.assertNotEqual(node.call("GET", path("hello.txt", other["instance_id"])).status, 200)

    def test_there_after_a_restart(self):
        node.restart()
        self.assertEqual(node.call("GET", path("hello.txt")).body, hello(spec))


class Made(NodeTest):
    def test_a_stage_and_a_command_make_files_and_leave_nothing(self):
        _, made = node.begin("made") # asks for more processors than many a host has, too
        got = {name: node.call("GET", path(name, made["instance_id"])).body for name in ("stage.txt", "cmd.txt")}
        self.assertEqual(got, {"stage.txt": b"from-stage\n", "cmd.txt": b"made\n"})
        self.assertEqual(len(node.made(made["instance_id"])["container"]), 1)


class Parts(NodeTest):
    def get(self, name="bytes.bin", **headers):
        return node.call("GET", path(name), headers={k.replace("_", "-"): v for k, v in headers.items()})

    def test_ranges(self):
        whole = self.get().body
        size = len(whole)
        for asked, first, last in [("0-3", 0, 3), ("5-5", 5, 5), ("100-", 100, size - 1), ("-7", size - 7, size - 1),
                                   (f"{size - 2}-{size + 50}", size - 2, size - 1),
                                   (f"-{size * 2}", 0, size - 1)]:
            with self.subTest(asked=asked):
                reply = self.assertStatus(self.get(Range=f"bytes={asked}"), 206)
                self.assertEqual(reply.body, whole[first:last + 1])
                self.assertEqual(reply.headers["Content-Range"], f"bytes {first}-{last}/{size}")

    def test_a_range_that_is_not_there(self):
        size = listed["bytes.bin"]["size"]
        for asked in [f"{size}-", f"{size + 10}-{size + 20}", "-0"]:
            with self.subTest(asked=asked):
                reply = self.assertStatus(self.get(Range=f"bytes={asked}"), 416)
                self.assertEqual(reply.headers["Content-Range"], f"bytes */{size}")

    def test_what_is_no_range_is_the_whole(self):
        """RFC 9110: a Range that is not understood is ignored."""
        size = listed["bytes.bin"]["size"]
        for header in ["bytes=x-y", "lines=0-3", "bytes=5-2", "bytes", "bytes=", "bytes=-"]:
            with self.subTest(header=header):
                self.assertEqual(len(self.assertStatus(self.get(Range=header), 200).body), size)

    def test_an_etag_saves_the_second_download(self):
        first = self.get()
        etag = first.headers["ETag"]
        self.assertRegex(etag, r'^(W/)?"[^"]+"$')
        again = self.assertStatus(self.get(If_None_Match=etag), 304)
        self.assertEqual(again.body, b"")
        self.assertEqual(again.headers["ETag"], etag)
        self.assertStatus(self.get(If_None_Match=f'"other", {etag}'), 304)
        self.assertStatus(self.get(If_None_Match="*"), 304)
        self.assertStatus(self.get(If_None_Match='"other"'), 200)
        self.assertNotEqual(node.call("GET", path("hello.txt")).headers["ETag"], etag)

    def test_a_resumed_download_checks_the_etag(self):
        etag = self.get().headers["ETag"]
        self.assertStatus(self.get(Range="bytes=0-3", If_Range=etag), 206)
        self.assertStatus(self.get(Range="bytes=0-3", If_Range='"other"'), 200)


class WaysOut(NodeTest):
    def assertNothing(self, reply, *statuses):
        self.assertError(reply, *(statuses or (404, 422)))
        self.assertNotIn(SECRET.encode(), reply.body)
        self.assertNotIn(b"root:", reply.body)

    def test_names_that_are_not_in_the_list(self):
        names = ["nothing.txt", "HELLO.TXT", "hello.txt.", "hello.txt%20", "hello.txt%00", "hello.txt%00.png",
                 "hello", "*", "hello.tmpl", "plain.txt", "challenge.yml", "compose.yml", "hello.txt~",
                 "%2e", ".", "x" * 300, "%FF%FE", "."]
        for name in names:
            with self.subTest(name=name):
                self.assertNothing(node.call("GET", path(name)), 400, 404, 405, 422)

    def test_climbing(self):
        target = os.path.join(node.dir, "secret.txt")
        names = ["..%2f..%2f..%2fsecret.txt", "..%2Fchallenge.yml", "%2e%2e%2f%2e%2e%2fsecret.txt",
                 "..%5c..%5csecret.txt", "....//....//secret.txt", "%252e%252e%252fsecret.txt",
                 "..%c0%af..%c0%afsecret.txt", "hello.txt%2f..%2f..%2fsecret.txt", ".%2fhello.txt",
                 "..%2f" * 20 + "etc%2fpasswd", "%2fetc%2fpasswd", urllib.parse.quote(target, safe=""),
                 "%2f" + urllib.parse.quote(target, safe=""), "file:%2f%2f%2fetc%2fpasswd"]
        for name in names:
            with self.subTest(name=name):
                self.assertNothing(node.call("GET", path(name)), 400, 404, 422)
        for raw in ["../../../../secret.txt", "/etc/passwd", "//etc/passwd", "../" * 20 + "etc/passwd",
                    "./../../secret.txt", "hello.txt/../../secret.txt"]:
            with self.subTest(raw=raw):
                self.assertNothing(node.call("GET", path(raw)), 404, 405, 422)

    def test_a_symlink_in_the_work_directory_leads_nowhere(self):
        """Whoever could put one there: neither a new name nor one in the list is followed out."""
        _, own = node.begin("attached")
        found = [os.path.join(parent, "hello.txt") for parent, _, names in os.walk(node.state)
                 if "hello.txt" in names and own["instance_id"] in parent]
        if not found:
            self.skipTest("rendered attachments are not kept as files of that name")
        for file in found:
            os.symlink(os.path.join(node.dir, "secret.txt"), os.path.join(os.path.dirname(file), "link.txt"))
            os.symlink(node.dir, os.path.join(os.path.dirname(file), "folder"))
        for name in ["link.txt", "folder%2fsecret.txt", "folder/secret.txt"]:
            self.assertNothing(node.call("GET", path(name, own["instance_id"])))
        names = [e["filename"] for e in node.call("GET", path("", own["instance_id"])).json["attachments"]]
        self.assertNotIn("link.txt", names)
        for file in found:
            os.unlink(file)
            os.symlink(os.path.join(node.dir, "secret.txt"), file)
        reply = node.call("GET", path("hello.txt", own["instance_id"]))
        self.assertNotIn(SECRET.encode(), reply.body)
        self.assertNotEqual(reply.status, 200)
        self.assertStatus(node.call("GET", "/health"), 200)

    def test_a_challenge_cannot_attach_the_hosts_files(self):
        for name, source, link in [("climb", "../../secret.txt", None),
                                   ("absolute", os.path.join(node.dir, "secret.txt"), None),
                                   ("linked", "link.txt", os.path.join(node.dir, "secret.txt")),
                                   ("linked-folder", "folder/secret.txt", node.dir)]:
            with self.subTest(name=name):
                folder = os.path.join(node.challenges, name)
                shutil.copytree(os.path.join(node.challenges, "plain"), folder)
                with open(os.path.join(folder, "challenge.yml"), "a") as file:
                    file.write(f"attachments:\n  - filename: out.txt\n    source: {source}\n")
                if link:
                    os.symlink(link, os.path.join(folder, source.split("/")[0]))
                rescan = node.call("POST", "/admin/rescan-challenges").json
                reply = node.post(node.spec(name))
                if reply.status == 201: # then without the file
                    got = node.call("GET", path("out.txt", reply.json["instance_id"]))
                    self.assertNothing(got)
                elif not any(name in error["path"] for error in rescan["errors"]):
                    self.assertError(reply, 404, 409, 422, 500, 502)
                self.assertNotIn(SECRET, reply.body.decode())

    def test_a_filename_cannot_climb_either(self):
        for name, filename in [("up", "../../../../secret.txt"), ("slash", "/tmp/x.txt"), ("dots", "..")]:
            with self.subTest(name=name):
                folder = os.path.join(node.challenges, "name-" + name)
                shutil.copytree(os.path.join(node.challenges, "plain"), folder)
                with open(os.path.join(folder, "challenge.yml"), "a") as file:
                    file.write(f'attachments:\n  - filename: "{filename}"\n    source: compose.yml\n')
                node.call("POST", "/admin/rescan-challenges")
                node.post(node.spec("name-" + name))
                with open(os.path.join(node.dir, "secret.txt")) as file:
                    self.assertEqual(file.read(), SECRET)
                self.assertFalse(os.path.exists("/tmp/x.txt"))


if __name__ == "__main__":
    harness.main()

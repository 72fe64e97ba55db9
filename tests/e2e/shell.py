#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`ctfy shell`, as somebody at a terminal has it: a pty is its terminal, a platform and a node are real."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import cluster
import evidence
import unittest
from cluster import Platform, Team, harness

platform = None
node = None
row = None


def setUpModule():
    global platform, node, row
    platform = Platform(evidence.CHALLENGES)
    unittest.addModuleCleanup(platform.close)
    node = evidence.new_node()
    platform.join("n1", node)
    row = Team(platform, "rockets").start("watched")
    node.ids.add(row["id"])


def argv(*words):
    return [harness.CTFY, "shell", *words, "--url", f"http://127.0.0.1:{platform.port}",
            "--token-file", str(platform.state / "admin-token")]


class Screen:
    """`ctfy shell` on a terminal of its own."""

    def __init__(self, *words, columns=90, rows=30):
        self.fd, self.terminal = pty.openpty()
        self.resize(columns, rows, tell=False)
        self.usual = termios.tcgetattr(self.terminal)
        self.shown = b""
        self.process = subprocess.Popen(argv(*words), stdin=self.terminal, stdout=self.terminal,
                                        stderr=self.terminal, start_new_session=True)

    def resize(self, columns, rows, tell=True):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell:
            self.process.send_signal(signal.SIGWINCH)

    def type(self, text):
        os.write(self.fd, text.encode())

    def until(self, text, seconds=60):
        deadline = time.monotonic() + seconds
        while text.encode() not in self.shown:
            if not select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"'{text}' was not shown within {seconds} s: {self.shown!r}")
            self.shown += os.read(self.fd, 65536)

    def is_raw(self):
        return not termios.tcgetattr(self.terminal)[3] & (termios.ECHO | termios.ICANON)

    def end(self):
        """Its exit status, and whether the terminal is as it was."""
        status = self.process.wait(60)
        same = termios.tcgetattr(self.terminal) == self.usual
        os.close(self.fd)
        os.close(self.terminal)
        return status, same


class Shell(harness.NodeTest):
    def test_what_is_typed_runs_and_its_exit_code_is_ours(self):
        screen = Screen(row["id"], "web")
        screen.type("stty size; echo $((6*7)).\n")
        screen.until("30 90")
        screen.until("42.")
        self.assertTrue(screen.is_raw())
        screen.type("exit 23\n")
        self.assertEqual(screen.end(), (23, True))

    def test_the_terminal_keeps_its_size_and_its_keys(self):
        screen = Screen(row["id"], "web")
        screen.type("echo re''ady\n")
        screen.until("ready")
        screen.resize(133, 44)
        screen.type("until stty size | grep 133; do sleep 0.1; done\n")
        screen.until("44 133")
        screen.type("trap 'echo inter''rupted' INT; echo tra''pped\n")
        screen.until("trapped") # a Ctrl-C throws away what was typed and not read yet
        screen.type("\x03\n")
        screen.until("interrupted")
        screen.type("\x04")
        self.assertTrue(screen.end()[1])

    def test_whatever_ends_it_the_terminal_is_as_it_was(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGSEGV):
            with self.subTest(number):
                screen = Screen(row["id"], "web")
                screen.type("echo re''ady\n")
                screen.until("ready")
                self.assertTrue(screen.is_raw())
                screen.process.send_signal(number)
                self.assertEqual(screen.end(), (-number, True))

    def test_the_end_of_the_instance_ends_it(self):
        begun = Team(platform, "comets")
        own = begun.start("watched")
        node.ids.add(own["id"])
        screen = Screen(own["id"], "web")
        screen.type("echo re''ady\n")
        screen.until("ready")
        begun.stop("watched")
        status, same = screen.end()
        self.assertNotEqual(status, 0)
        self.assertTrue(same)

    def test_a_script_may_be_its_input(self):
        done = subprocess.run(argv(row["id"], "store"), input="hostname; echo a''b; exit 3\n", text=True,
                              capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 3, done)
        self.assertIn("\nab\n", done.stdout)
        done = subprocess.run(argv(row["id"], "store"), input="echo c''d\n", text=True, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, "the end of its input is the end of the shell's")
        self.assertIn("\ncd\n", done.stdout)

    def test_what_cannot_be_is_said(self):
        for words, said in (([row["id"]], "name one of"), ([row["id"], "nothing"], "no service 'nothing'"),
                            (["never-known"], "never-known")):
            done = subprocess.run(argv(*words), capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn(said, done.stderr)

    def test_a_sidecar_may_be_looked_into_and_all_is_in_the_audit_log(self):
        done = subprocess.run(argv(row["id"], "ctfy-capture"), input="ls /capture\n", text=True, capture_output=True,
                              timeout=60)
        self.assertIn("0-1.pcap", done.stdout)
        log = platform.ask("GET", "/admin/audit")
        self.assertIn("shell", [entry["action"] for entry in next(v for v in log.values() if isinstance(v, list))])


if __name__ == "__main__":
    harness.main()

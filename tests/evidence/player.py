# SPDX-License-Identifier: Apache-2.0
"""A player's machine: a network namespace with a wire to the host, and an OpenVPN client in it."""

import os
import secrets
import shutil
import subprocess
import tempfile

from evidence import harness
from harness import wait_for


def can_be():
    return shutil.which("openvpn") and os.path.exists("/dev/net/tun") and os.geteuid() == 0


def new_host():
    """An address for the host's end of such wires."""
    return f"10.99.{secrets.randbelow(250)}.1"


def run(*argv, **more):
    return subprocess.run(argv, check=True, capture_output=True, text=True, **more).stdout


class Player:
    """At the other end of the wire is the host, with that address."""

    def __init__(self, host):
        self.address = host[:-1] + "2"
        self.name = "ctfy-" + secrets.token_hex(3)
        self.wire = "cw" + secrets.token_hex(3)
        self.clients = []
        self.dir = tempfile.mkdtemp(prefix="ctfy-player-")
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", self.wire, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        run("ip", "addr", "add", f"{host}/24", "dev", self.wire)
        run("ip", "link", "set", self.wire, "up")
        for command in (f"addr add {self.address}/24 dev eth0", "link set eth0 up", "link set lo up"):
            self.run("ip", *command.split())

    def argv(self, *argv):
        return ["nsenter", f"--net=/run/netns/{self.name}", *argv]

    def run(self, *argv, **more):
        return run(*self.argv(*argv), **more)

    def connect(self, profile):
        """Beside those that are connected."""
        path = os.path.join(self.dir, f"client-{len(self.clients)}.ovpn")
        with open(path, "wb") as file:
            file.write(profile)
        log = path + ".log"
        self.clients.append(subprocess.Popen(self.argv("openvpn", "--config", path, "--log", log)))
        wait_for(lambda: "Initialization Sequence Completed" in self.words(log), 20, lambda: self.words(log))

    def words(self, log):
        try:
            with open(log, errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def fetch(self, url):
        return self.run("curl", "-sS", "--max-time", "5", url)

    def close(self):
        for client in self.clients:
            client.terminate()
            client.wait()
        run("ip", "link", "del", self.wire)
        run("ip", "netns", "del", self.name)
        shutil.rmtree(self.dir)

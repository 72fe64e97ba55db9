# SPDX-License-Identifier: Apache-2.0
"""Machines of a test's own, on a network of their own: each is a network namespace with an engine and
a node in it, that can crash, be cut off, and be slow.

The test goes into a namespace, too: it has the network's switch, and is where the platform and the
players are.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "node"))
sys.dont_write_bytecode = True

import own_engine  # noqa: E402

own_engine.enter_namespace()

import harness  # noqa: E402

LAN = "10.213.0."
SWITCH = "lan"


def ip(*words, within=()):
    subprocess.run([*within, "ip", *words], check=True)


def begin_network():
    ip("link", "add", SWITCH, "type", "bridge")
    ip("addr", "add", f"{LAN}1/24", "dev", SWITCH)
    ip("link", "set", SWITCH, "up")


class Machine:
    def __init__(self, name, number, challenges):
        self.name, self.address, self.port = name, f"{LAN}{10 + number}", f"port{number}"
        self.is_on = True
        self.holder = subprocess.Popen(["unshare", "--net", "setpriv", "--pdeathsig", "KILL",
                                        "sh", "-c", "echo; exec sleep infinity"],
                                       stdout=subprocess.PIPE)
        self.holder.stdout.readline() # it is in there
        self.within = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net"]
        self._plug_in()
        self.engine = own_engine.OwnEngine(["ctfy/busybox:latest"], within=self.within)
        self.node = harness.Node(listen=self.address, challenges=challenges, ports=(20000, 20099),
                                 subnets="10.176.0.0/16", engine_url="unix://" + self.engine.socket, bind="0.0.0.0",
                                 public_host=self.address, within=self.within)

    def _plug_in(self):
        ip("link", "add", self.port, "type", "veth", "peer", "name", "eth0", "netns", str(self.holder.pid))
        ip("link", "set", self.port, "master", SWITCH, "up")
        ip("addr", "add", f"{self.address}/24", "dev", "eth0", within=self.within)
        for device in ("lo", "eth0"):
            ip("link", "set", device, "up", within=self.within)

    def cut_off(self):
        ip("link", "set", self.port, "down")

    def reconnect(self):
        ip("link", "set", self.port, "up")

    @contextmanager
    def slowed_down(self):
        """Its node and its engine do nothing for four fifths of the time."""
        over = threading.Event()

        def slow_down():
            while not over.is_set():
                for process in (self.node.process, self.engine.process):
                    process.send_signal(signal.SIGSTOP)
                time.sleep(0.4)
                for process in (self.node.process, self.engine.process):
                    process.send_signal(signal.SIGCONT)
                over.wait(0.1)
        brake = threading.Thread(target=slow_down)
        brake.start()
        try:
            yield
        finally:
            over.set()
            brake.join()

    def crash(self):
        """As when it loses power: whatever ran there is gone, and nothing was told to end."""
        self.is_on = False
        self.cut_off()
        self.node.kill()
        with self.looked_at():
            running = [harness.engine.inspect(container)["State"]["Pid"]
                       for container in harness.engine.objects(harness.LABEL_NODE)["container"]]
        self.engine.kill()
        for pid in running:
            os.kill(pid, signal.SIGKILL)

    def boot(self):
        self.reconnect()
        self.engine.start()
        self.node.start()
        self.is_on = True

    @contextmanager
    def looked_at(self):
        """The harness's engine is this machine's."""
        seen, harness.engine.socket = harness.engine.socket, self.engine.socket
        try:
            yield
        finally:
            harness.engine.socket = seen

    def copies(self, instance_id):
        """How many containers of the instance are there, whatever the node calls it."""
        if not self.is_on:
            return 0
        with self.looked_at():
            everybody = harness.engine.objects(harness.LABEL_INSTANCE)["container"].values()
        return sum(labels[harness.LABEL_INSTANCE].startswith(instance_id) for labels in everybody)

    def close(self):
        if not self.is_on:
            self.boot()
        with self.looked_at():
            self.node.close()
        harness.engine.socket = self.engine.socket
        self.engine.close()
        self.holder.kill()
        self.holder.wait()

# SPDX-License-Identifier: Apache-2.0
"""An engine of a test's own, to be ended, killed and started again.

It has a network namespace of its own, for two engines in one flush each other's firewall rules;
the test goes in there, too, so that loopback and the node mean what they always do. Images come
from the machine's engine. The engine ends with the test.
"""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import harness

DOCKER = "/usr/bin/docker"
IMAGES = ["ctfy/busybox:latest", "debian:bookworm-slim"]


def is_inside():
    return "CTFY_TEST_NAMESPACE" in os.environ


def enter_namespace(mounts=False):
    """Starts this program again, in a network namespace where there is nothing but loopback. With
    mounts, what it mounts is seen by nobody else."""
    if not is_inside():
        os.environ["CTFY_TEST_NAMESPACE"] = "1"
        os.execvp("unshare", ["unshare", "--net", *(["--mount"] if mounts else []), "--", sys.executable,
                              *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


class OwnEngine:
    def __init__(self, images=IMAGES, live_restore=False, within=(), arguments=()):
        self.arguments = arguments # dockerd's, besides
        self.within = within # a command that runs commands, in another namespace say
        self.images_from = harness.engine.socket
        self.dir = tempfile.mkdtemp(prefix="ctfy-engine-")
        os.chmod(self.dir, 0o711) # for users that the engine maps
        self.socket = os.path.join(self.dir, "docker.sock")
        self.log_path = os.path.join(self.dir, "log")
        self.live_restore = live_restore
        self.process = None
        atexit.register(self.close)
        self.start()
        harness.engine.socket = self.socket # whose objects the harness looks at from now on
        self._load(images)

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self._argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        harness.wait_for(self._answers, 120, self.log)

    def _argv(self):
        return [*self.within, "dockerd", "--data-root", os.path.join(self.dir, "data"),
                "--exec-root", os.path.join(self.dir, "exec"),
                "--pidfile", os.path.join(self.dir, "pid"), "--host", "unix://" + self.socket,
                f"--live-restore={str(self.live_restore).lower()}", *self.arguments]

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the engine ended with {self.process.returncode}\n{self.log()}")
        seen, harness.engine.socket = harness.engine.socket, self.socket
        try:
            return harness.engine.answers()
        finally:
            harness.engine.socket = seen

    def stop(self):
        self.process.terminate()
        self.process.wait(120)

    def kill(self):
        """kill -9. Its containers go on running."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        # Its containerd dies with it. Where process 1 reaps no orphans that one stays a zombie, and
        # the next dockerd would wait for it.
        os.unlink(os.path.join(self.dir, "exec/containerd/containerd.pid"))

    def freeze(self):
        """It is there, and takes connections, and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def restart(self, killed=False):
        self.kill() if killed else self.stop()
        self.start()

    def log(self, lines=15):
        with open(self.log_path, errors="replace") as file:
            return "the engine's log:\n" + "".join(file.readlines()[-lines:])

    def _load(self, images):
        with subprocess.Popen([DOCKER, "--host", "unix://" + self.images_from, "save", *images],
                              stdout=subprocess.PIPE) as save:
            subprocess.run([DOCKER, "--host", "unix://" + self.socket, "load"], check=True,
                           stdin=save.stdout, stdout=subprocess.DEVNULL)
        if save.returncode != 0:
            raise AssertionError(f"docker save {images} failed")

    def close(self):
        atexit.unregister(self.close)
        if self.process.poll() is not None:
            self.start() # it alone can end what it left running
        harness.engine.remove(harness.engine.objects(harness.LABEL_NODE))
        self.stop()
        harness.engine.socket = self.images_from
        # dockerd mounts its data on itself, and leaves it so.
        subprocess.run(["umount", os.path.join(self.dir, "data")], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


class OwnPodman(OwnEngine):
    """Podman's Docker-compatible service: ended and started again, never killed."""

    def _argv(self):
        # Podman sets RLIMIT_NPROC of its own on every container, which takes CAP_SYS_RESOURCE.
        with open(os.path.join(self.dir, "containers.conf"), "w") as conf:
            conf.write('[containers]\ndefault_ulimits = ["nproc=4096:4096"]\n')
        return ["env", "CONTAINERS_CONF=" + conf.name, "podman", "--root", os.path.join(self.dir, "data"),
                "--runroot", os.path.join(self.dir, "run"),
                "--network-config-dir", os.path.join(self.dir, "networks"),
                "system", "service", "--time", "0", "unix://" + self.socket]

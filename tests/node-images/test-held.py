#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a step of a build may take of the machine, tried from inside of steps.

Both builders are tried: the classic one, and BuildKit, which a Dockerfile with `RUN --mount` is
built by. Each step writes down what it found; the image is then looked into.
"""

import ipaddress
import os
import socket
import subprocess
import tempfile
import threading

import images
from images import BUILD, Challenges, ImageTest, empty_node, engine, harness, tags, wait_for

KINDS = {"classic": "RUN", "buildkit": "RUN --mount=type=cache,target=/cache"}

# The gateway is the host; HOST is an address of its default bridge, whoever's that is.
PROBE = r"""#!/bin/bash
gateway() {
	while read -r _ to via _; do
		[[ $to == 00000000 ]] && printf '%d.%d.%d.%d' 0x${via:6:2} 0x${via:4:2} 0x${via:2:2} 0x${via:0:2}
	done </proc/net/route
}
try() {
	if timeout 4 bash -c "read -r line <>/dev/tcp/$1/PORT && [[ \$line == host ]]" 2>/dev/null; then
		echo "$1 open"
	else
		echo "$1 closed"
	fi
}
try "$(gateway)"
try HOST
"""


class Listener:
    """A service on every address of the host."""

    def __init__(self):
        self.socket = socket.create_server(("0.0.0.0", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            peer.sendall(b"host\n")
            peer.close()


listener = Listener()


def default_gateway():
    network, = engine.json("GET", "/networks/bridge")["IPAM"]["Config"]
    return network.get("Gateway") or str(next(ipaddress.ip_network(network["Subnet"]).hosts()))


class Held(ImageTest):
    def setUp(self):
        self.node = empty_node(build_memory="64m", build_cpus=1)
        self.addCleanup(lambda: self.node.close())
        self.challenges = Challenges(self.node)

    def build(self, word, dockerfile, **files):
        """Builds it; what the image has in /found."""
        challenge = self.challenges.built(word, dockerfile, **files)
        self.challenges.rescan()
        self.begin(BUILD, self.node, challenge)
        self.assertDone(BUILD, self.node, challenge, 120)
        tag, _ = next(iter(tags(f"ctfy-challenge/{challenge}/app").items()))
        self.addCleanup(images.remove_image, f"ctfy-challenge/{challenge}/app:{tag}")
        return images.docker("run", "--rm", "--network", "none", f"ctfy-challenge/{challenge}/app:{tag}",
                             "cat", "/found")

    def fails(self, word, dockerfile, *words, seconds=120):
        challenge = self.challenges.built(word, dockerfile)
        self.challenges.rescan()
        self.begin(BUILD, self.node, challenge)
        return self.assertFailed(BUILD, self.node, challenge, *words, seconds=seconds)

    def test_the_probe_finds_what_is_open(self):
        with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
            file.write(PROBE.replace("PORT", str(listener.port)).replace("HOST", default_gateway()))
            file.flush()
            os.chmod(file.name, 0o755)
            found = images.docker("run", "--rm", "-v", f"{file.name}:/probe:ro", "debian:bookworm-slim",
                                  "bash", "/probe")
        self.assertEqual(found.count("open"), 2, found)

    def test_no_step_reaches_the_host(self):
        probe = PROBE.replace("PORT", str(listener.port)).replace("HOST", default_gateway())
        for word, run in KINDS.items():
            with self.subTest(word):
                found = self.build("reach", f"FROM debian:bookworm-slim\nLABEL it=NAME\nCOPY probe /probe\n"
                                   f"{run} bash /probe >/found\n", probe=probe)
                self.assertEqual(found.count("closed"), 2, found)

    def test_the_default_bridge_is_open_again_afterwards(self):
        self.build("fence", f"FROM ctfy/busybox\nLABEL it=NAME\n{KINDS['buildkit']} busybox true >/found\n"
                   "RUN busybox ln -s busybox /bin/cat || true\n")
        rules = subprocess.run(["nft", "list", "tables"], check=True, stdout=subprocess.PIPE, text=True)
        self.assertNotIn("ctfy_build_", rules.stdout)

    def test_memory_is_limited(self):
        for word, run in KINDS.items():
            with self.subTest(word):
                self.fails("memory", f"FROM debian:bookworm-slim\nLABEL it=NAME\n"
                          f"{run} head -c 300M /dev/zero | tail -c 300M >/dev/null\n", "137")

    def test_processes_are_limited(self):
        for word, run in KINDS.items():
            with self.subTest(word):
                found = self.build("pids", "FROM debian:bookworm-slim\nLABEL it=NAME\n"
                                   f"{run} awk -F: '$2==\"pids\"{{print $3}}' /proc/self/cgroup >/found\n")
                self.assertRegex(found, r"^/ctfy-build/|^/docker/buildkit/")
                top = "/sys/fs/cgroup/pids" + os.path.dirname(found.strip())
                with open(top + "/pids.max") as file:
                    self.assertEqual(file.read().strip(), "4096")

    def test_open_files_and_file_sizes_are_limited(self):
        found = self.build("files", "FROM debian:bookworm-slim\nLABEL it=NAME\n"
                           "RUN (ulimit -Hn; ulimit -Hf; ulimit -Hc) >/found\n")
        files, size, core = found.split()
        self.assertEqual((files, core), ("16384", "0"))
        self.assertLess(int(size), 2 ** 32)

    def test_a_build_ends_at_its_time_and_so_does_its_step(self):
        self.node.close()
        self.node = empty_node(build_time="5s")
        self.challenges = Challenges(self.node)
        for word, run in KINDS.items():
            with self.subTest(word):
                mark = f"{harness.PREFIX}{word}".replace("-", "")
                self.fails("late", "FROM debian:bookworm-slim\nLABEL it=NAME\n"
                          f"{run} bash -c 'exec -a {mark} sleep 3600'\n", "did not end within 5 s")
                wait_for(lambda: subprocess.run(["pgrep", "-f", f"^{mark} "], check=False,
                                                stdout=subprocess.DEVNULL).returncode == 1,
                         30, "end of the step's processes")

    def test_a_context_that_claims_more_than_the_disk_is_refused(self):
        challenge = self.challenges.built("sparse", "FROM ctfy/busybox\nCOPY huge /huge\n")
        with open(os.path.join(self.node.challenges, challenge, "huge"), "wb") as file:
            file.truncate(1 << 40)
        self.challenges.rescan()
        self.assertStatus(self.node.call("POST", f"/admin/challenges/{challenge}/build"), 200, 400, 413)
        row = BUILD.ended(self.node, challenge, 120)
        self.assertEqual(row["status"], "failed")
        self.assertIn("context", row["error"])

    def test_a_build_that_takes_the_last_of_the_disk_is_given_up(self):
        free = os.statvfs("/var/lib/docker")
        left = free.f_bavail * free.f_frsize
        self.node.close()
        self.node = empty_node(min_free_disk=left - (1 << 30))
        self.challenges = Challenges(self.node)
        self.fails("disk", "FROM debian:bookworm-slim\nLABEL it=NAME\n"
                  "RUN fallocate -l 1900M /a && fallocate -l 1900M /b && sleep 3600\n", "short of disk")
        wait_for(lambda: os.statvfs("/var/lib/docker").f_bavail * free.f_frsize > left - (1 << 30),
                 60, "room on the disk")


if __name__ == "__main__":
    images.main()

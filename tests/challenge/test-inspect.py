#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One compose file, started by Debian's docker-compose and by a node: what the engine then says of the
containers (`docker inspect`) agrees key by key, but for what is an instance's own and for REASONS.
"""

import json
import os
import re
import subprocess
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "node"))
sys.dont_write_bytecode = True

import harness  # noqa: E402
from harness import engine  # noqa: E402

FILES = HERE / "inspect"
COMPOSE = "/usr/bin/docker-compose"

# Of a container in particular, not of its kind. Mounts stand for what was asked in two forms.
OWN = re.compile(
    r"(Id|Created|Name|ExecIDs|Platform|Image|\w+Path|GraphDriver.*|State\.(?!Status|ExitCode).*|Mounts"
    r"|HostConfig\.(Binds|Mounts|VolumesFrom|ContainerIDFile)"
    r"|Config\.Labels\.(com\.docker\.compose|ctfy)\..*"
    r"|NetworkSettings\.(?!Networks).*"
    r"|NetworkSettings\.Networks\..*\.(NetworkID|EndpointID|Gateway|IPAddress|IPPrefixLen|MacAddress"
    r"|DNSNames))$")

KEPT_RIGHTS = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
               "NET_BIND_SERVICE", "SYS_CHROOT", "AUDIT_WRITE"]


def without(these, those):
    return [item for item in those or [] if item not in these]


def capabilities(theirs, ours):
    asked = {name.upper() for name in theirs or []}
    return set(ours or []) in (asked, asked | set(KEPT_RIGHTS))


def host_part(address):
    return int(address.rsplit(".", 1)[1]) % 16


# (key, why it may differ, how: what docker-compose made, what the node made)
REASONS = [
    (r"Config\.Image", "an image that is built here is named by its content",
     lambda theirs, ours: ours.startswith("ctfy-challenge/")),
    (r"Config\.Env\.NESTED", "compose v2: variables may be nested",
     lambda theirs, ours: (theirs, ours) == ("${GREETING}", "hello")),
    (r"HostConfig\.(Memory|NanoCpus|PidsLimit)", "a container that asks for no limit gets one",
     lambda theirs, ours: theirs is None and ours in (512 << 20, 10**9, 256)),
    (r"HostConfig\.MemorySwap", "no swap beyond the limit", lambda theirs, ours: ours in (512 << 20, 64 << 20)),
    (r"HostConfig\.Ulimits", "a container that asks for no limit gets one",
     lambda theirs, ours: without(theirs or [], ours) == [{"Name": "nofile", "Hard": 16384, "Soft": 4096}]),
    (r"HostConfig\.LogConfig\.Type", "a driver that keeps bytes which are no UTF-8",
     lambda theirs, ours: (theirs, ours) == ("json-file", "local")),
    (r"HostConfig\.LogConfig\.Config\..*", "the node bounds the log",
     lambda theirs, ours: theirs is None or (theirs, ours) in [("1m", "1048576"), ("3", "2")]),
    (r"HostConfig\.CapDrop", "capabilities start from none", lambda theirs, ours: ours == ["ALL"]),
    (r"HostConfig\.CapAdd", "and those that images need to start are added", capabilities),
    (r"HostConfig\.Dns", "a closed network's containers ask the node, at their gateway",
     lambda theirs, ours: theirs is None and len(ours) == 1 and host_part(ours[0]) == 1),
    (r"HostConfig\.SecurityOpt", "no new privileges, and a system call filter of the node's own",
     lambda theirs, ours: {option.split("{")[0] for option in without(theirs or [], ours)} <=
     {"no-new-privileges:true", "seccomp="}),
    (r"HostConfig\.PortBindings\..*", "the node chooses address and port on the host",
     lambda theirs, ours: len(theirs) == len(ours) and ours[0]["HostIp"] == "127.0.0.1"),
    (r"HostConfig\.Tmpfs\..*", "a tmpfs among the volumes is one of tmpfs",
     lambda theirs, ours: theirs is None and ours == "size=1048576"),
    (r"NetworkSettings\.Networks\..*\.IPAMConfig\.IPv4Address", "addresses are offsets into an own subnet",
     lambda theirs, ours: host_part(theirs) == host_part(ours)),
    (r"NetworkSettings\.Networks\..*\.Links", "a link's name is an alias of whom it links to",
     lambda theirs, ours: ours is None),
    (r"NetworkSettings\.Networks\..*\.Aliases", "and so here",
     lambda theirs, ours: without(theirs, ours) == ["resolver"]),
    (r"Mounted\./(etc/site|data)", "a writable bind is a copy", lambda theirs, ours: ours == "bind copy rw"),
]


def flat(value, path=""):
    """{"HostConfig.Memory": 1, ...}; what is empty or false is as good as absent."""
    if isinstance(value, dict):
        found = {}
        for key, below in value.items():
            found.update(flat(below, f"{path}.{key}" if path else key))
        return found
    return {} if value in (None, "", [], False, 0) else {path: value}


def mounted(container, folder):
    """{where: what}, for what the engine mounted however it was asked to."""
    found = {}
    for mount in container["Mounts"]:
        source = mount.get("Name") or mount.get("Source", "")
        if mount["Type"] == "tmpfs":
            continue
        if mount["Type"] == "volume":
            source = "anonymous" if re.fullmatch("[0-9a-f]{64}", source) else source
        elif source.startswith(folder):
            source = "FOLDER" + source[len(folder):]
        else:
            source = "copy"
        found[mount["Destination"]] = f"{mount['Type']} {source} {'rw' if mount['RW'] else 'ro'}"
    return found


def view(container, folder):
    """What is to agree: names of the project taken out, and lists sorted whose order means nothing."""
    project = container["Config"]["Labels"][harness.LABEL_PROJECT]
    text = json.dumps({**container, "Mounted": mounted(container, folder)})
    container = json.loads(text.replace(project, "PROJECT").replace(container["Id"][:12], "ID"))
    container["Config"]["Env"] = dict(pair.split("=", 1) for pair in container["Config"]["Env"] or [])
    if re.fullmatch("[0-9a-f]{12}", container["Config"]["Hostname"]): # whose network it shares
        container["Config"]["Hostname"] = "ID"
    container["HostConfig"]["NetworkMode"] = container["HostConfig"]["NetworkMode"].split(":")[0]
    for network in container["NetworkSettings"]["Networks"].values():
        network["Aliases"] = sorted(network["Aliases"] or [])
    return {key: value for key, value in flat(container).items() if not OWN.match(key)}


class Composed:
    """A project of docker-compose, for as long as it is looked at."""

    def __init__(self, folder):
        self.folder = folder
        self.label = f"{harness.LABEL_PROJECT}={folder.name}"

    def __enter__(self):
        ran = subprocess.run([COMPOSE, "up", "-d"], cwd=self.folder,
                             env={**os.environ, "DOCKER_BUILDKIT": "0",
                                  "COMPOSE_PROJECT_NAME": self.folder.name}, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if ran.returncode != 0:
            self.__exit__()
            raise AssertionError(f"{self.folder.name}: docker-compose: {ran.stdout}")
        return self

    def __exit__(self, *_):
        engine.remove(engine.objects(self.label))

    def containers(self):
        found = engine.objects(self.label)["container"]
        return {labels[harness.LABEL_SERVICE]: engine.inspect(c) for c, labels in found.items()}


class Inspect(harness.NodeTest):
    @classmethod
    def setUpClass(cls):
        if not os.access(COMPOSE, os.X_OK):
            raise unittest.SkipTest("docker-compose is not installed; run: tools/deps.sh test")
        cls.node = harness.Node(challenges=FILES, start=False)
        policy = Path(cls.node.dir) / "policy.yml"
        policy.write_text("allow: ['*']\n")
        cls.node.options["policy"] = str(policy)
        cls.folders = [folder.rename(folder.with_name(f"{harness.PREFIX}-{folder.name}"))
                       for folder in sorted(Path(cls.node.challenges).iterdir())]
        cls.node.start()

    @classmethod
    def tearDownClass(cls):
        for image in engine.json("GET", "/images/json"):
            for tag in image["RepoTags"] or []:
                if harness.PREFIX in tag:
                    engine.call("DELETE", f"/images/{tag}?force=1")

    def look(self, folder):
        """{service: (docker-compose's view, the node's)}"""
        with Composed(folder) as composed:
            theirs = composed.containers()
        _, spec = self.node.begin(folder.name)
        ours = self.node.containers(spec["instance_id"])
        self.assertStatus(self.node.stop(spec["instance_id"]), 204)
        self.assertEqual(set(theirs), set(ours), folder.name)
        return {name: (view(theirs[name], str(folder)), view(ours[name], str(folder))) for name in ours}

    def judge(self, where, key, theirs, ours):
        """The reason for a difference; None: there is none."""
        for pattern, reason, accepts in REASONS:
            if re.fullmatch(pattern, key) and accepts(theirs, ours):
                return reason
        self.failures.append(f"{where}: {key}: docker-compose made {theirs!r}, the node {ours!r}")
        return None

    def test_a_container_is_as_docker_compose_would_make_it(self):
        self.failures, reasons, agreed = [], set(), 0
        with ThreadPoolExecutor(7) as pool:
            looks = list(zip(self.folders, pool.map(self.look, self.folders)))
        for file, services in looks:
            for service, (theirs, ours) in services.items():
                for key in set(theirs) | set(ours):
                    if theirs.get(key) == ours.get(key):
                        agreed += 1
                    else:
                        reasons.add(self.judge(f"{file.name}: {service}", key, theirs.get(key), ours.get(key)))
        self.assertEqual(self.failures, [], "\n".join(self.failures))
        self.assertEqual({reason for _, reason, _ in REASONS} - reasons, set(), "reasons that nothing needs")
        self.assertGreater(agreed, 900)
        print(f"{len(looks)} files, {sum(len(s) for _, s in looks)} services, {agreed} keys agree", flush=True)


if __name__ == "__main__":
    harness.main()

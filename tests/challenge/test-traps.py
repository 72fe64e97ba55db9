#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a naive implementation gets wrong: a folder that has all of it, started twice at once.

Fixed ports, names, tags, addresses and networks; writable binds of the folder itself; a bind whose
source is absent; YAML 1.1's idea of 22222:22; and so on. Both instances have to be whole, share
nothing, and leave the folder as it was.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "node-images"))
sys.dont_write_bytecode = True

import images  # noqa: E402, and harness by way of it
import harness  # noqa: E402
from harness import engine  # noqa: E402


def listing(folder):
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
            for path in Path(folder).rglob("*")}


class Traps(harness.NodeTest):
    @classmethod
    def setUpClass(cls):
        cls.node = harness.Node(challenges=HERE / "traps", start=False)
        policy = Path(cls.node.dir) / "policy.yml"
        policy.write_text("allow: [seccomp-profile]\n")
        cls.node.options["policy"] = str(policy)
        cls.challenge = images.new_name("collider")
        cls.folder = (Path(cls.node.challenges) / "collider").rename(
            Path(cls.node.challenges) / cls.challenge)
        cls.node.start()

    def begin(self):
        row, spec = self.node.begin(self.challenge)
        return row, spec, self.node.containers(spec["instance_id"])

    def run_in(self, containers, service, command):
        _, said = engine.exec(containers[service]["Id"], ["sh", "-c", command])
        return said.rstrip("\n")

    def check_one(self, row, spec, containers):
        web = containers["Web_App"]
        self.assertEqual({c["State"]["Status"] for c in containers.values()}, {"running"})
        self.assertEqual(sorted(e["container_port"] for e in row["endpoints"]), [22, 80])
        self.assertEqual(self.run_in(containers, "Web_App", "cat /said"), "sh says  " + spec["answers"]["flag"])
        self.assertEqual(self.run_in(containers, "Web_App", "echo $ANSWER $PATTERN"), "yes ^http.*$")
        self.assertEqual(self.run_in(containers, "Web_App", "ls -a /absent | wc -l"), "2")
        self.assertIn(web["HostConfig"]["RestartPolicy"]["Name"], ("", "no"))
        self.assertIn("3306/tcp", web["Config"]["ExposedPorts"])
        self.assertIn('"SCMP_ACT_ALLOW"', "".join(web["HostConfig"]["SecurityOpt"]))
        for name in ("challenge", "Web_App"):
            self.assertIn(self.address(web), self.run_in(containers, "peer", f"nslookup {name} 127.0.0.11"))

    @staticmethod
    def address(container):
        network, = container["NetworkSettings"]["Networks"].values()
        return network["IPAddress"]

    def test_two_instances_are_whole_and_share_nothing(self):
        before = listing(self.folder)
        first, second = harness.parallel([self.begin] * 2)
        for instance in (first, second):
            self.check_one(*instance)
        of_first, of_second = first[2], second[2]
        self.assertFalse({e["port"] for e in first[0]["endpoints"]} & {e["port"] for e in second[0]["endpoints"]})
        for service, last in (("Web_App", 5), ("peer", 6)):
            addresses = {self.address(c[service]) for c in (of_first, of_second)}
            self.assertEqual(len(addresses), 2)
            self.assertEqual({int(a.rsplit(".", 1)[1]) % 8 for a in addresses}, {last})
        self.run_in(of_first, "Web_App", "echo mine > /src/new; echo mine > /data/file; rm /src/Dockerfile")
        self.assertEqual(self.run_in(of_first, "peer", "cat /data/file"), "mine", "services share their copy")
        self.assertEqual(self.run_in(of_second, "Web_App", "cat /data/file; ls /src | grep -c new"), "kept\n0")
        self.assertStatus(self.node.stop(first[1]["instance_id"]), 204)
        self.check_one(*second)
        self.assertStatus(self.node.stop(second[1]["instance_id"]), 204)
        self.assertEqual(listing(self.folder), before)


if __name__ == "__main__":
    images.main()

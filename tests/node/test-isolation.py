#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Isolation, tried from inside containers.

Every target is first reached from where it ought to be reachable (the host, a container on the
engine's default bridge), so that "unreachable" is the node's doing and not a broken probe. The LAN
is a network namespace of our own behind a veth pair.
"""

import os
import secrets
import subprocess
import sys
import unittest

import harness
from harness import Node, NodeTest, background, engine, fetch, fetch_soon, new_id, parallel, wait_for
from outside import IMPATIENT, METADATA, HostServices, Lan, probe, reaches

node = None
lan = None
host = None # TCP and UDP services on the host's 0.0.0.0
control = None # a container on the default bridge
ids = {}
rows = {}
specs = {}


def send_datagrams(container, targets):
    """Sends each target its own name."""
    script = "\n".join(f"echo '{name}' > /dev/udp/{address}/{port}" for name, (address, port) in targets.items())
    engine.exec(container, ["bash", "-c", f"({script}\n) 2>/dev/null"])


def container_of(challenge, service):
    return node.containers(ids[challenge])[service]


def address_of(container):
    return next(n["IPAddress"] for n in container["NetworkSettings"]["Networks"].values())


def default_gateway():
    """The host's address on the default bridge: an engine that never restarted doesn't tell it of the
    network, but of a container in it."""
    return engine.inspect(control)["NetworkSettings"]["Gateway"]


def gateways_of(container):
    return [n["Gateway"] for n in container["NetworkSettings"]["Networks"].values() if n["Gateway"]]


def host_addresses():
    """IPv4 addresses of the host beyond loopback; those of bridges are told as gateways."""
    text = subprocess.run(["ip", "-4", "-o", "addr", "show", "scope", "global"], capture_output=True,
                          text=True, check=True).stdout
    return [line.split()[3].split("/")[0] for line in text.splitlines()
            if not line.split()[1].startswith(("br-", "cfy", "docker"))]


def setUpModule():
    global node, lan, host, control
    node = Node(listen="0.0.0.0", bind="0.0.0.0", ready_networks=2)
    host = HostServices()
    unittest.addModuleCleanup(host.close)
    control = engine.run(new_id("control"), "debian:bookworm-slim", ["sleep", "600"])
    unittest.addModuleCleanup(engine.call, "DELETE", f"/containers/{control}?force=1")
    began = parallel([lambda c=c: node.begin(c) for c in ["nets", "nets", "web"]])
    for name, (row, spec) in zip(["attacker", "twin", "web"], began):
        ids[name], rows[name], specs[name] = row["instance_id"], row, spec
    fetch_soon("127.0.0.1", rows["web"]["endpoints"][0]["port"])
    if os.geteuid() == 0:
        lan = Lan()
        unittest.addModuleCleanup(lan.close)


class Within(NodeTest):
    """What an instance is made of reaches each other, by every name it has."""

    def test_by_service_name_alias_and_container_name(self):
        outer = container_of("attacker", "outer")["Id"]
        inner = container_of("attacker", "inner")["Id"]
        self.assertEqual(probe(outer, {n: (n, 8080) for n in ["middle", "counter"]}), {"middle", "counter"})
        self.assertEqual(probe(inner, {"middle": ("middle", 8080), "self": ("inner", 9000)}), {"middle", "self"})
        middle = container_of("attacker", "middle")["Id"]
        for name in ["inner", "nets-strongroom"]:
            code, text = engine.exec(middle, ["nslookup", name])
            self.assertEqual(code, 0, text)
            self.assertIn(address_of(container_of("attacker", "inner")), text)

    def test_networks_of_one_instance_are_apart(self):
        outer = container_of("attacker", "outer")["Id"]
        target = address_of(container_of("attacker", "inner"))
        self.assertEqual(probe(outer, {"by name": ("inner", 9000), "by address": (target, 9000),
                                       "by container name": ("nets-strongroom", 9000)}), set())

    def test_names_lead_to_ones_own_instance(self):
        for mine, other in [("attacker", "twin"), ("twin", "attacker")]:
            code, text = engine.exec(container_of(mine, "outer")["Id"], ["getent", "hosts", "middle"])
            self.assertEqual(code, 0, text)
            own = {n["IPAddress"] for n in container_of(mine, "middle")["NetworkSettings"]["Networks"].values()}
            self.assertIn(text.split()[0], own)

    def test_names_of_another_instance_are_unknown(self):
        outer = container_of("attacker", "outer")["Id"]
        names = ["web", "the-one-and-only-web", container_of("web", "web")["Name"].lstrip("/")]
        asked = parallel([lambda n=n: engine.exec(outer, [*IMPATIENT, "getent", "hosts", n]) for n in names])
        for name, (code, text) in zip(names, asked):
            self.assertNotEqual(code, 0, f"{name}: {text}")


class Outside(NodeTest):
    def assertOutOfReach(self, targets):
        vantage = [container_of("attacker", service)["Id"] for service in ["outer", "inner"]]
        for reached in parallel([lambda c=c: probe(c, targets) for c in vantage]):
            self.assertEqual(reached, set(), {n: targets[n] for n in reached})

    def targets(self):
        """{name: (address, port)}: everything that has no business with an instance, over TCP."""
        web_port = rows["web"]["endpoints"][0]["port"]
        web = container_of("web", "web")
        twin = container_of("twin", "middle")
        attacker = container_of("attacker", "outer")
        gateways = {"own gateway": gateways_of(attacker)[0], "web's gateway": gateways_of(web)[0],
                    "default bridge": default_gateway()}
        targets = {"another challenge's container": (address_of(web), 8080),
                   "its twin's container": (address_of(twin), 8080)}
        addresses = {**{f"host {a}": a for a in host_addresses()}, **gateways}
        for name, address in addresses.items():
            targets[f"the node's API at {name}"] = (address, node.port)
            targets[f"a host service at {name}"] = (address, host.tcp)
            targets[f"web's published port at {name}"] = (address, web_port)
        return targets

    def test_the_probe_works_where_it_may(self):
        """From the host itself and from the engine's default bridge."""
        targets = self.targets()
        for name, (address, port) in targets.items():
            self.assertTrue(reaches(address, port), f"not even the host reaches {name} ({address}:{port})")
        # Between bridges the engine itself forbids; and to a published port at another's gateway.
        own = {n: t for n, t in targets.items() if "a host service at" in n}
        self.assertEqual(probe(control, own), set(own))

    def test_other_instances_the_host_and_the_node_are_out_of_reach(self):
        targets = self.targets()
        self.assertOutOfReach(targets)

    def test_datagrams_to_the_host_neither(self):
        attacker = container_of("attacker", "outer")
        gateways = {"gateway": gateways_of(attacker)[0], **{f"host-{a}": a for a in host_addresses()}}
        word = secrets.token_hex(4)
        send_datagrams(control, {f"control-{word}-{n}": (a, host.udp) for n, a in gateways.items()})
        wait_for(lambda: any(h.startswith(f"control-{word}") for h in host.heard), 5, "the control's datagram")
        send_datagrams(attacker["Id"], {f"attacker-{word}-{n}": (a, host.udp) for n, a in gateways.items()})
        send_datagrams(control, {f"after-{word}": (next(iter(host_addresses())), host.udp)})
        wait_for(lambda: f"after-{word}" in host.heard, 5, "the second control's datagram")
        self.assertFalse([h for h in host.heard if h.startswith(f"attacker-{word}")])

    def test_no_metadata_service(self):
        target = {"metadata": (METADATA, 80 if reaches(METADATA, 80) else 8000)}
        if target["metadata"][1] == 8000:
            if not lan:
                self.skipTest("nothing answers at the metadata address, and root is needed to play it")
            lan.route_metadata()
        self.assertEqual(probe(control, target), {"metadata"})
        self.assertOutOfReach(target)

    def test_no_lan_and_so_no_internet(self):
        if not lan:
            self.skipTest("root is needed for a network namespace")
        target = {"lan": (lan.address, lan.port), "host's side": (lan.host, host.tcp)}
        self.assertEqual(probe(control, target), set(target))
        self.assertOutOfReach(target)

    def test_ipv6_is_no_back_door(self):
        _, text = engine.exec(container_of("attacker", "outer")["Id"], ["cat", "/proc/net/if_inet6"])
        addresses = [line for line in text.splitlines() if line.strip() and not line.rstrip().endswith(" lo")]
        self.assertEqual(addresses, [])

    def test_raw_sockets_do_not_change_addresses(self):
        """Without NET_ADMIN nobody moves to another subnet."""
        outer = container_of("attacker", "outer")
        self.assertNotIn("NET_ADMIN", outer["HostConfig"]["CapAdd"] or [])
        middle = container_of("attacker", "middle")["Id"]
        code, text = engine.exec(middle, ["ip", "addr", "add", "10.1.2.3/8", "dev", "eth0"])
        self.assertNotEqual(code, 0, text)


class Players(NodeTest):
    def test_a_published_port_answers_on_the_host(self):
        port = rows["web"]["endpoints"][0]["port"]
        for address in ["127.0.0.1", *host_addresses()]:
            with self.subTest(address=address):
                self.assertEqual(fetch(address, port), specs["web"]["answers"]["flag"])

    def test_a_published_port_answers_from_the_lan(self):
        """Where players are: the rules keep instances in, not players out."""
        if not lan:
            self.skipTest("root is needed for a network namespace")
        port = rows["web"]["endpoints"][0]["port"]
        code = ("import http.client; c = http.client.HTTPConnection(%r, %d, timeout=5);"
                "c.request('GET', '/'); print(c.getresponse().read().decode(), end='')" % (lan.host, port))
        self.assertEqual(lan.inside(sys.executable, "-c", code).stdout, specs["web"]["answers"]["flag"])


HAMMER = """
use Socket; use Fcntl;
my ($host, $port, $seconds) = @ARGV;
my @open;
for my $try (1 .. $seconds * 200) {
    socket(my $s, PF_INET, SOCK_STREAM, 0) or die;
    fcntl($s, F_SETFL, O_NONBLOCK);
    connect($s, pack_sockaddr_in($port, inet_aton($host)));
    push @open, $s;
    select(undef, undef, undef, 0.005);
    next if @open < 4;
    $s = shift @open;
    my $mask = ''; vec($mask, fileno($s), 1) = 1;
    select(undef, my $ready = $mask, undef, 0);
    print "REACHED\n" if vec($ready, fileno($s), 1) && unpack("i", getsockopt($s, SOL_SOCKET, SO_ERROR)) == 0;
}
print "DONE\n";
"""


class Meanwhile(NodeTest):
    def hammered(self, noise):
        """What a patient attacker reaches, knocking 200 times a second, while there is noise."""
        outer = container_of("attacker", "outer")
        targets = {"host": (gateways_of(outer)[0], host.tcp),
                   "another instance": (address_of(container_of("web", "web")), 8080)}
        if lan:
            targets["lan"] = (lan.address, lan.port)
        hammers = {name: background(engine.exec, outer["Id"], ["perl", "-e", HAMMER, address, str(port), "5"])
                   for name, (address, port) in targets.items()}
        while not all(h.done() for h in hammers.values()):
            noise()
        for name, hammer in hammers.items():
            code, text = hammer.result()
            self.assertTrue(code == 0 and text.endswith("DONE\n"), text)
            with self.subTest(target=name):
                self.assertEqual(text.count("REACHED"), 0)

    def test_no_gap_while_the_engine_makes_networks(self):
        """For every network the engine takes its rules off the FORWARD chain and puts them on again:
        what is in DOCKER-USER, and what keeps bridges apart, is without effect for some milliseconds."""
        subnet = harness.free_subnets()

        def noise():
            made = engine.json("POST", "/networks/create",
                               {"Name": new_id("noise"), "IPAM": {"Config": [{"Subnet": subnet}]}})
            engine.call("DELETE", f"/networks/{made['Id']}")
        self.hammered(noise)

    def test_no_gap_while_another_node_comes_and_goes(self):
        other = Node()
        self.addCleanup(other.close)
        self.hammered(other.restart)

    def test_the_hammer_works_where_it_may(self):
        address = default_gateway()
        code, text = engine.exec(control, ["perl", "-e", HAMMER, address, str(host.tcp), "0.5"])
        self.assertGreater(text.count("REACHED"), 20, text)


class Afterwards(NodeTest):
    def test_isolation_outlives_the_node(self):
        """Killed, the node leaves instances running: as closed as before, also after its return."""
        target = {"host": (gateways_of(container_of("attacker", "outer"))[0], host.tcp)}
        if lan:
            target["lan"] = (lan.address, lan.port)
        outer = container_of("attacker", "outer")["Id"]
        node.kill()
        try:
            self.assertEqual(probe(outer, target), set())
        finally:
            node.start()
        self.assertEqual(probe(outer, target), set())
        self.assertEqual(fetch("127.0.0.1", rows["web"]["endpoints"][0]["port"]), specs["web"]["answers"]["flag"])


if __name__ == "__main__":
    harness.main()

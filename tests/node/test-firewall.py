#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a hostile instance, or a hostile player, tries on the network with frames of its own making; on
an engine of its own, for rules are taken away, too.
"""

import os
import re
import socket
import subprocess
import sys
import unittest

import own_engine

own_engine.enter_namespace()

import frames
import harness
from frames import ACK, PUSH_ACK, SYN, SYN_ACK, arp, in_namespace, tcp, udp
from harness import Node, NodeTest, engine, fetch, fetch_soon, wait_for
from outside import HostServices, Lan, reaches

CLIENT_CONNECTIONS, INSTANCE_CONNECTIONS = 20, 30

own = node = lan = host = None
rows, specs = {}, {}


def setUpModule():
    global own, node, lan, host
    own = own_engine.OwnEngine()
    unittest.addModuleCleanup(own.close)
    subprocess.run(["iptables", "-P", "FORWARD", "ACCEPT"], check=True) # as hosts have it that forwarded before
    node = Node(engine_url="unix://" + own.socket, listen="0.0.0.0", bind="0.0.0.0", ready_networks=2,
                client_connections=CLIENT_CONNECTIONS, instance_connections=INSTANCE_CONNECTIONS)
    unittest.addModuleCleanup(node.close)
    lan = Lan()
    unittest.addModuleCleanup(lan.close)
    host = HostServices()
    unittest.addModuleCleanup(host.close)
    for challenge in ["nets", "web", "udp"]:
        rows[challenge], specs[challenge] = node.begin(challenge)
    fetch_soon("127.0.0.1", port_of("web"))


def port_of(challenge):
    return rows[challenge]["endpoints"][0]["port"]


def container(challenge, service):
    return node.containers(rows[challenge]["instance_id"])[service]


def wire(test, challenge, service, network=None):
    """The end of a container's wire, which has said something: its neighbours and the host know it."""
    inspected = container(challenge, service)
    port = frames.Port(inspected, network)
    test.addCleanup(port.close)
    in_namespace(port.pid, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", (port.gateway, 9)))
    wait_for(lambda: mac_of_host(port), 10, "the host's answer by ARP")
    return port


def mac_of_host(port):
    """The bridge's, as the container's neighbour table has it."""
    text = subprocess.run(["nsenter", f"--net=/proc/{port.pid}/ns/net", "ip", "neigh", "show", port.gateway],
                          capture_output=True, text=True, check=True).stdout
    found = re.search(r"lladdr (\S+)", text)
    return found and found[1]


def bridge_of(port):
    """The host's interface of the network that the container is in."""
    text = subprocess.run(["ip", "-4", "-o", "addr", "show"], capture_output=True, text=True, check=True).stdout
    return re.search(rf"\d+: (\S+) +inet {re.escape(port.gateway)}/", text)[1]


def connections():
    """How many the kernel remembers in this network namespace."""
    with open("/proc/sys/net/netfilter/nf_conntrack_count", encoding="ascii") as file:
        return int(file.read())


def is_tcp_to(frame, port):
    return frame[12:14] == b"\x08\0" and frame[23] == 6 and frame[36:38] == port.to_bytes(2, "big")


class Forged(NodeTest):
    """A service with CAP_NET_RAW writes frames to its neighbour, so that the host takes what is forged for
    a connection that is there, and then goes on with it to the host."""

    def setUp(self):
        self.attacker = wire(self, "nets", "outer")
        self.neighbour = wire(self, "nets", "middle", self.attacker.network)

    def shake_hands(self, mine, target):
        self.attacker.send(self.neighbour.mac, tcp(mine, target, SYN))
        self.attacker.send(self.neighbour.mac, tcp(target, mine, SYN_ACK, 2000, 1001))
        self.attacker.send(self.neighbour.mac, tcp(mine, target, ACK, 1001, 2001))

    def test_a_forged_handshake_is_no_way_to_the_host(self):
        for name, port in [("a host service", host.tcp), ("the node's API", node.port)]:
            mine, target = (self.attacker.address, 40000 + port % 1000), (lan.host, port)
            self.shake_hands(mine, target)
            with self.subTest(target=name):
                self.attacker.send(mac_of_host(self.attacker), tcp(mine, target, SYN))
                self.attacker.send(mac_of_host(self.attacker), tcp(mine, target, PUSH_ACK, 1001, 2001, b"GET /"))
                self.assertIsNone(self.attacker.hears(lambda f, p=mine[1]: is_tcp_to(f, p)), name)

    def test_datagrams_do_not_leave_a_closed_network(self):
        mine, target = (self.attacker.address, 40100), (lan.address, 5353)
        script = ("import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
                  "s.bind(('0.0.0.0', 5353)); print('bound', flush=True);"
                  "[print(s.recv(100).decode(), flush=True) for _ in range(2)]")
        with subprocess.Popen(["nsenter", f"--net=/run/netns/{lan.name}", sys.executable, "-c", script],
                              stdout=subprocess.PIPE, text=True) as listener:
            self.addCleanup(listener.kill)
            self.assertEqual(listener.stdout.readline(), "bound\n")
            self.attacker.send(self.neighbour.mac, udp(mine, target, b"out"))
            self.attacker.send(self.neighbour.mac, udp(target, mine, b"back"))
            self.attacker.send(mac_of_host(self.attacker), udp(mine, target, b"forged"))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as honest:
                honest.sendto(b"honest", target)
            self.assertEqual(listener.stdout.readline(), "honest\n")
            listener.kill()

    def test_an_instance_does_not_answer_for_another(self):
        victim = wire(self, "udp", "echo")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as player:
            player.bind((lan.host, 0))
            player.settimeout(5)
            player.sendto(b"one", (lan.host, port_of("udp")))
            answer, _ = player.recvfrom(1500)
            self.assertTrue(answer.endswith(b"one"), answer)
        script = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('0.0.0.0', 41000));"
                  "s.settimeout(20); s.connect((%r, %d)); s.send(b'two'); print(s.recv(99).decode(), flush=True);"
                  "print(s.recv(99).decode(), flush=True)" % (lan.host, port_of("udp")))
        with subprocess.Popen(["nsenter", f"--net=/run/netns/{lan.name}", sys.executable, "-c", script],
                              stdout=subprocess.PIPE, text=True) as player:
            self.addCleanup(player.kill)
            self.assertIn("two", player.stdout.readline())
            forged, honest = (udp((victim.address, 5000), (lan.address, 41000), text) for text in (b"forged", b"honest"))
            self.attacker.send(mac_of_host(self.attacker), forged)
            victim.send(mac_of_host(victim), honest)
            self.assertEqual(player.stdout.readline(), "honest\n")


class Neighbours(NodeTest):
    """What a service says of addresses that are not its own."""

    def setUp(self):
        self.attacker = wire(self, "nets", "outer")
        self.neighbour = wire(self, "nets", "middle", self.attacker.network)
        self.bridge = bridge_of(self.attacker)

    def page(self):
        return fetch(self.neighbour.address, 8080)

    def test_it_does_not_take_its_neighbours_address(self):
        """By ARP, in a request and in an answer; what the host sends to the neighbour goes on reaching it."""
        host_mac = mac_of_host(self.attacker)
        for operation in (1, 2):
            self.attacker.send(host_mac, arp(operation, self.attacker.mac, self.neighbour.address,
                                             self.attacker.gateway, host_mac), 0x0806)
            self.attacker.send("ff:ff:ff:ff:ff:ff", arp(operation, self.attacker.mac, self.neighbour.address,
                                                       self.neighbour.address), 0x0806)
            text = subprocess.run(["ip", "neigh", "show", self.neighbour.address], capture_output=True, text=True,
                                  check=True).stdout
            self.assertNotIn(self.attacker.mac, text)
        self.assertEqual(self.page(), "middle\n")

    def test_nor_its_neighbours_mac(self):
        """A frame with the neighbour's source would turn the bridge's own table."""
        self.assertEqual(self.page(), "middle\n")
        for kind in (0x0800, 0x0806, 0x88b5):
            packet = arp(1, self.neighbour.mac, "0.0.0.0", self.attacker.gateway) if kind == 0x0806 else bytes(40)
            self.attacker.send("ff:ff:ff:ff:ff:ff", packet, kind, source=self.neighbour.mac)
        learned = subprocess.run(["bridge", "fdb", "show", "br", self.bridge], capture_output=True, text=True,
                                 check=True).stdout
        ports = {line.split()[2] for line in learned.splitlines() if line.startswith(self.neighbour.mac)}
        mine = {line.split()[2] for line in learned.splitlines() if line.startswith(self.attacker.mac)}
        self.assertFalse(ports & mine, "the neighbour is looked for at the attacker's port")
        self.assertEqual(self.page(), "middle\n")

    def test_it_does_not_send_from_its_neighbours_address(self):
        for source in (self.neighbour.address, self.attacker.gateway, "192.0.2.1"):
            self.attacker.send(self.neighbour.mac, udp((source, 5), (self.neighbour.address, 9), b"forged"))
        self.attacker.send(self.neighbour.mac, udp((self.attacker.address, 5), (self.neighbour.address, 9), b"honest"))
        heard = self.neighbour.hears(lambda f: f.endswith((b"forged", b"honest")), 10)
        self.assertTrue(heard.endswith(b"honest"))

    def test_forged_senders_fill_no_table(self):
        host_mac = mac_of_host(self.attacker)
        for i in range(5000):
            forged = f"10.{i % 250}.{i // 250}.77"
            self.attacker.send(host_mac, arp(1, self.attacker.mac, forged, self.attacker.gateway), 0x0806)
        for i in range(5000):
            self.attacker.send("ff:ff:ff:ff:ff:ff", bytes(40), 0x88b5, source=f"02:77:00:00:{i >> 8:02x}:{i & 255:02x}")
        neighbours = subprocess.run(["ip", "neigh", "show", "dev", self.bridge], capture_output=True, text=True,
                                    check=True).stdout.splitlines()
        learned = subprocess.run(["bridge", "fdb", "show", "br", self.bridge], capture_output=True, text=True,
                                 check=True).stdout.splitlines()
        self.assertLess(len(neighbours), 32, neighbours[:5])
        self.assertLess(len([line for line in learned if line.startswith("02:77")]), 1, learned[:5])

    def test_a_bridge_learns_few_addresses(self):
        """Also of a port that has said nothing yet, and so is not bound to an address. Kernels before 6.8
        can't limit it, and don't have the attribute."""
        most = frames.bridge_attributes(self.bridge).get(frames.FDB_MAX_LEARNED, 256)
        self.assertIn(most, range(1, 257))


class Flood(NodeTest):
    def test_what_services_send_each_other_fills_no_table(self):
        attacker = wire(self, "nets", "outer")
        neighbour = wire(self, "nets", "middle", attacker.network)
        before = connections()
        for port in range(20000, 22000):
            attacker.send(neighbour.mac, udp((attacker.address, port), (neighbour.address, 9), b"x"))
        attacker.send(neighbour.mac, udp((attacker.address, 5), (neighbour.address, 9), b"last"))
        self.assertIsNotNone(neighbour.hears(lambda f: f.endswith(b"last"), 10), "they arrive")
        self.assertLess(connections(), before + 500)
        self.assertEqual(fetch("127.0.0.1", port_of("web")), specs["web"]["answers"]["flag"])

    def connect_from_lan(self, count, address):
        """How many of so many connections, held all at once, came about."""
        script = ("import socket, select, errno\n"
                  "held = []\n"
                  "for i in range(%d):\n"
                  "    s = socket.socket(); s.setblocking(False); s.bind((%r, 0)); s.connect_ex((%r, %d)); held.append(s)\n"
                  "open = set()\n"
                  "while ready := select.select([], [s for s in held if s not in open], [], 4)[1]: open |= set(ready)\n"
                  "print(sum(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 for s in open), flush=True)\n"
                  "input()" % (count, address, lan.host, port_of("web")))
        process = subprocess.Popen(["nsenter", f"--net=/run/netns/{lan.name}", sys.executable, "-c", script],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def close():
            process.kill()
            process.communicate()
        self.addCleanup(close)
        return int(process.stdout.readline())

    def test_one_client_and_one_instance_have_so_many_connections(self):
        second = lan.address[:-1] + "3"
        lan.inside("ip", "addr", "add", second + "/24", "dev", lan.name + "b")
        self.assertEqual(self.connect_from_lan(CLIENT_CONNECTIONS + 20, lan.address), CLIENT_CONNECTIONS)
        self.assertEqual(self.connect_from_lan(CLIENT_CONNECTIONS, second), INSTANCE_CONNECTIONS - CLIENT_CONNECTIONS)
        self.doCleanups()
        wait_for(lambda: self.connect_from_lan(1, lan.address) == 1, 60, "room for one more, now that they are closed")


class Unpublished(NodeTest):
    def test_the_lan_reaches_published_ports_and_no_other(self):
        """A machine there takes the host for its way to the instances' networks."""
        web = container("web", "web")
        address = next(iter(web["NetworkSettings"]["Networks"].values()))["IPAddress"]
        self.assertTrue(reaches(address, 8080), "the host itself reaches it")
        script = ("import socket, sys\ntry:\n    socket.create_connection((%r, %d), 2).close(); print('reached')\n"
                  "except OSError: print('out of reach')")
        self.assertEqual(lan.inside(sys.executable, "-c", script % (lan.host, port_of("web"))).stdout, "reached\n")
        self.assertEqual(lan.inside(sys.executable, "-c", script % (address, 8080)).stdout, "out of reach\n")


class WhenFlushed(NodeTest):
    def test_rules_that_somebody_took_away_come_back(self):
        for what in (["nft", "flush", "table", "inet", "ctfy"], ["nft", "delete", "table", "bridge", "ctfy"],
                     ["nft", "flush", "ruleset"]):
            with self.subTest(what=" ".join(what)):
                told = node.log(10000).count("the firewall's rules were changed")
                subprocess.run(what, check=True)
                wait_for(lambda t=told: node.log(10000).count("the firewall's rules were changed") > t, 60, node.log)
                self.assertFalse(in_namespace(container("nets", "outer")["State"]["Pid"],
                                              lambda: reaches(lan.host, host.tcp)))
        self.assertIn("ctfy_firewall_repairs_total 3", node.request("GET", "/metrics").body.decode())

    def test_what_iptables_is_told_does_not_matter(self):
        pid = container("nets", "outer")["State"]["Pid"]
        subprocess.run(["iptables", "-F"], check=True)
        subprocess.run(["iptables", "-t", "mangle", "-F"], check=True)
        self.assertFalse(in_namespace(pid, lambda: reaches(lan.host, host.tcp)))

    def test_a_firewall_that_flushes_all_of_iptables_when_it_is_reloaded(self):
        """As firewalld does, and ufw: what Docker had there is gone, and with it published ports, until the
        engine is restarted; what holds instances is not."""
        for table in ("filter", "nat", "mangle", "raw"):
            for what in ("-F", "-X"):
                subprocess.run(["iptables", "-w", "-t", table, what], check=True)
        pid = container("nets", "outer")["State"]["Pid"]
        self.assertFalse(in_namespace(pid, lambda: reaches(lan.host, host.tcp)))
        self.assertFalse(in_namespace(pid, lambda: reaches(lan.address, 8080)))
        repairs = repaired()
        self.restart_engine()
        self.assertHolds()
        self.assertEqual(repaired(), repairs)

    def test_nothing_is_open_while_an_engine_is_killed_and_comes_back(self):
        repairs = repaired()
        rules = subprocess.run(["nft", "-s", "-t", "list", "table", "inet", "ctfy"], check=True, capture_output=True).stdout
        self.restart_engine(killed=True)
        self.assertHolds()
        self.assertEqual(subprocess.run(["nft", "-s", "-t", "list", "table", "inet", "ctfy"], check=True,
                                        capture_output=True).stdout, rules)
        self.assertEqual(repaired(), repairs)

    def restart_engine(self, killed=False):
        """Somebody on an instance's bridge tries all the while to get to the host."""
        bridge = next(name for name in bridges() if name.startswith("cfyc"))
        subprocess.run(["ip", "netns", "add", "ctfy-tries"], check=True)
        self.addCleanup(subprocess.run, ["ip", "netns", "del", "ctfy-tries"], check=True)
        gateway = re.search(r"inet ([\d.]+)/", subprocess.run(["ip", "-4", "-o", "addr", "show", "dev", bridge], check=True,
                                                              capture_output=True, text=True).stdout)[1]
        own_address = gateway.rsplit(".", 1)[0] + "." + str(int(gateway.rsplit(".", 1)[1]) + 20)
        for command in (["link", "add", "ctfy-tries", "type", "veth", "peer", "name", "eth0", "netns", "ctfy-tries"],
                        ["link", "set", "ctfy-tries", "master", bridge, "up"],
                        ["-n", "ctfy-tries", "addr", "add", own_address + "/27", "dev", "eth0"],
                        ["-n", "ctfy-tries", "link", "set", "eth0", "up"],
                        ["-n", "ctfy-tries", "route", "add", "default", "via", gateway]):
            subprocess.run(["ip", *command], check=True)
        script = ("import socket\nprint('tries', flush=True)\nwhile True:\n"
                  "    for target in [(%r, %d), (%r, %d), (%r, 9)]:\n"
                  "        try: socket.create_connection(target, 0.2).close(); print('reached', target, flush=True)\n"
                  "        except OSError: pass\n" % (lan.host, host.tcp, gateway, host.tcp, lan.address))
        with subprocess.Popen(["ip", "netns", "exec", "ctfy-tries", sys.executable, "-c", script], stdout=subprocess.PIPE,
                              text=True) as attempt:
            self.assertEqual(attempt.stdout.readline(), "tries\n")
            own.restart(killed)
            for challenge in rows:
                wait_for(lambda c=challenge: all(s["State"]["Running"] for s in node.containers(rows[c]["instance_id"]).values()),
                         120, lambda: f"running again: {node.log()}")
            fetch_soon("127.0.0.1", port_of("web"), seconds=60)
            attempt.kill()
            self.assertEqual(attempt.stdout.read(), "")
        self.doCleanups()

    def assertHolds(self):
        pid = container("nets", "outer")["State"]["Pid"]
        for address, port in ((lan.host, host.tcp), (lan.host, node.port), (lan.address, 9)):
            self.assertFalse(in_namespace(pid, lambda a=address, p=port: reaches(a, p)), (address, port))
        self.assertEqual(fetch("127.0.0.1", port_of("web")), specs["web"]["answers"]["flag"])


def repaired():
    return re.search(r"ctfy_firewall_repairs_total (\d+)", node.request("GET", "/metrics").body.decode())[1]


def bridges():
    return [name for _, name in socket.if_nameindex() if name.startswith("cfy")]


def tables():
    text = subprocess.run(["nft", "list", "tables"], check=True, capture_output=True, text=True).stdout
    return {line.removeprefix("table ") for line in text.splitlines()}


class TablesOfNodes(NodeTest):
    def test_those_of_nodes_that_are_gone_go_with_the_next_start_and_no_other(self):
        subprocess.run(["nft", "-f", "-"], check=True, text=True, input="""
            table ip ctfy-gone234 { chain c { type filter hook forward priority 0; ip daddr 203.0.113.0/24 accept; }; }
            table inet ctfy_build_gone234 { }
            table ip ctfy-else234 { chain c { type filter hook forward priority 0; ip daddr %s accept; }; }
            table ip ctfy-other_s { }
            table inet ctfyown { }""" % node.options["subnets"]) # else234: of another engine, which has bridges here
        self.addCleanup(subprocess.run, ["nft", "-f", "-"], check=True, text=True, input=
                        "delete table ip ctfy-else234; delete table ip ctfy-other_s; delete table inet ctfyown")
        ours = {"ip ctfy-" + node.label().split("=")[1], "inet ctfy", "bridge ctfy", "arp ctfy"}
        ended = Node(engine_url="unix://" + own.socket)
        self.addCleanup(ended.close)
        row, _ = ended.begin("plain")
        theirs = "ip ctfy-" + ended.label().split("=")[1]
        ended.kill() # its instance goes on running behind it
        third = Node(engine_url="unix://" + own.socket)
        self.addCleanup(third.close)
        self.assertLessEqual(ours | {theirs, "ip ctfy-else234", "ip ctfy-other_s", "inet ctfyown"}, tables())
        self.assertFalse({"ip ctfy-gone234", "inet ctfy_build_gone234"} & tables())
        ended.start()
        self.assertStatus(ended.stop(row["instance_id"]), 204)
        ended.kill()
        ended.sweep() # the network that it kept for builds, say
        third.restart()
        self.assertNotIn(theirs, tables())
        self.assertLessEqual(ours, tables())


if __name__ == "__main__":
    harness.main()

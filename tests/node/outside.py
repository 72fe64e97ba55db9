# SPDX-License-Identifier: Apache-2.0
"""What there is besides instances, for tests that try to reach it: services on the host, a machine in the
LAN, and a probe that runs in a container.
"""

import http.server
import random
import secrets
import socket
import subprocess
import sys
import threading

from harness import engine, wait_for

METADATA = "169.254.169.254"


class HostServices:
    """What an organiser may have running on the host: a TCP service and an UDP one, on 0.0.0.0."""

    def __init__(self):
        self.web = http.server.ThreadingHTTPServer(("0.0.0.0", 0), http.server.BaseHTTPRequestHandler)
        self.tcp = self.web.server_address[1]
        threading.Thread(target=self.web.serve_forever, daemon=True).start()
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(("0.0.0.0", 0))
        self.udp = self.datagrams.getsockname()[1]
        self.heard = set()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                self.heard.add(self.datagrams.recv(100).decode(errors="replace").strip())
            except OSError:
                return

    def close(self):
        self.web.shutdown()
        self.web.server_close()
        self.datagrams.close()


class Lan:
    """A machine beside the host: 10.X.Y.2, with a TCP service that says "lan"."""

    SERVICE = ("import socket\n"
               "s = socket.create_server(('0.0.0.0', 8000))\n"
               "while True:\n"
               "    c, _ = s.accept(); c.sendall(b'lan\\n'); c.close()\n")

    def __init__(self):
        self.name = "nt" + secrets.token_hex(3)
        net = f"10.{random.randint(250, 254)}.{random.randint(0, 255)}"
        self.host, self.address, self.port = f"{net}.1", f"{net}.2", 8000
        self.metadata_routed = False
        self.process = None
        self._run("ip", "netns", "add", self.name)
        self._run("ip", "link", "add", self.name + "a", "type", "veth", "peer", "name", self.name + "b")
        self._run("ip", "link", "set", self.name + "b", "netns", self.name)
        self._run("ip", "addr", "add", self.host + "/24", "dev", self.name + "a")
        self._run("ip", "link", "set", self.name + "a", "up")
        self.inside("ip", "addr", "add", self.address + "/24", "dev", self.name + "b")
        self.inside("ip", "addr", "add", METADATA + "/32", "dev", self.name + "b")
        self.inside("ip", "link", "set", self.name + "b", "up")
        self.inside("ip", "link", "set", "lo", "up")
        self.inside("ip", "route", "add", "default", "via", self.host)
        self.process = subprocess.Popen(["nsenter", f"--net=/run/netns/{self.name}",
                                         sys.executable, "-c", self.SERVICE])
        wait_for(lambda: reaches(self.address, self.port), 10, "the service in the LAN")

    @staticmethod
    def _run(*argv):
        subprocess.run(argv, check=True, capture_output=True, text=True)

    def inside(self, *argv, **more):
        return subprocess.run(["nsenter", f"--net=/run/netns/{self.name}", *argv], check=True,
                              capture_output=True, text=True, **more)

    def route_metadata(self):
        """Where nothing else answers there, this machine does."""
        self._run("ip", "route", "add", METADATA + "/32", "via", self.address)
        self.metadata_routed = True

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        if self.metadata_routed:
            subprocess.run(["ip", "route", "del", METADATA + "/32"], check=False)
        subprocess.run(["ip", "link", "del", self.name + "a"], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "netns", "del", self.name], check=False)


def reaches(address, port):
    try:
        socket.create_connection((address, port), 2).close()
        return True
    except OSError:
        return False


# Unknown names are asked for outside, where nobody answers.
IMPATIENT = ["env", "RES_OPTIONS=timeout:1 attempts:1"]

PROBE = """
use IO::Socket::INET; use IO::Select;
my ($select, %name) = IO::Select->new;
for (@ARGV) {
    my ($name, $host, $port) = split /,/;
    my $address = inet_aton($host) or next;
    socket(my $s, PF_INET, SOCK_STREAM, 0) or die;
    IO::Handle::blocking($s, 0);
    connect($s, pack_sockaddr_in($port, $address));
    $name{$s} = $name;
    $select->add($s);
}
my $patience = 15;
while ($select->count && $patience) {
    my @ready = $select->can_write(0.1) or $patience--;
    for my $s (@ready) {
        print "REACHED $name{$s}\n" if unpack("i", getsockopt($s, SOL_SOCKET, SO_ERROR)) == 0;
        $select->remove($s);
    }
}
print "DONE\n";
"""


def probe(container, targets):
    """Which of {name: (address, port)} answer to TCP from inside; all are tried at once."""
    names = list(targets)
    code, text = engine.exec(container, [*IMPATIENT, "perl", "-e", PROBE] + [
        f"{n},{targets[name][0]},{targets[name][1]}" for n, name in enumerate(names)])
    assert code == 0 and text.endswith("DONE\n"), f"the probe itself failed: {text}"
    return {names[int(line.split()[1])] for line in text.splitlines() if line.startswith("REACHED ")}

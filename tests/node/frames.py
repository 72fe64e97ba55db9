# SPDX-License-Identifier: Apache-2.0
"""Frames as a container that has CAP_NET_RAW can forge them. Sent and heard on one interface of a network
namespace that is entered for it, so that no image needs tools.
"""

import os
import re
import socket
import struct
import subprocess
import threading

SYN, SYN_ACK, ACK, PUSH_ACK = 0x02, 0x12, 0x10, 0x18
CLONE_NEWNET = 0x40000000


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def ip(source, target, protocol, payload):
    """A packet; source and target are (address, port)."""
    addresses = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    pseudo = addresses + struct.pack("!HH", protocol, len(payload))
    at = 16 if protocol == socket.IPPROTO_TCP else 6
    payload = payload[:at] + struct.pack("!H", checksum(pseudo + payload)) + payload[at + 2:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0x4000, 64, protocol, 0) + addresses
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def tcp(source, target, flags, seq=1000, ack=0, data=b""):
    head = struct.pack("!HHIIBBHHH", source[1], target[1], seq, ack, 5 << 4, flags, 64000, 0, 0)
    return ip(source, target, socket.IPPROTO_TCP, head + data)


def udp(source, target, data):
    head = struct.pack("!HHHH", source[1], target[1], 8 + len(data), 0)
    return ip(source, target, socket.IPPROTO_UDP, head + data)


def ethernet(source, target, packet, kind=0x0800):
    return mac(target) + mac(source) + struct.pack("!H", kind) + packet


def arp(operation, sender, sender_address, target_address, target="00:00:00:00:00:00"):
    return struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, operation, mac(sender), socket.inet_aton(sender_address),
                       mac(target), socket.inet_aton(target_address))


def in_namespace(pid, function):
    """What the function returns, run by a thread in the network namespace of that process."""
    result = []

    def run():
        with open(f"/proc/{pid}/ns/net") as namespace:
            _setns(namespace.fileno())
        result.append(function())
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if not result:
        raise AssertionError("the function failed; its own words are above")
    return result[0]


def _setns(descriptor):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns: " + os.strerror(ctypes.get_errno()))


class Port:
    """A container's end of its wire: in the network of that name, or else in its first."""

    def __init__(self, container, network=None):
        networks = container["NetworkSettings"]["Networks"]
        self.network = network or next(iter(networks))
        place = networks[self.network]
        self.address, self.mac, self.gateway = place["IPAddress"], place["MacAddress"], place["Gateway"]
        self.pid = container["State"]["Pid"]
        self.socket = in_namespace(self.pid, self._open)

    def _open(self):
        text = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
        interface = re.search(rf"^\d+: (\w+)@.* {self.mac} ", text, re.MULTILINE)[1]
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
        sock.setsockopt(socket.SOL_SOCKET, 33, 16 << 20) # SO_RCVBUFFORCE: a flood fits in
        sock.bind((interface, 0))
        sock.settimeout(1)
        return sock

    def send(self, target, packet, kind=0x0800, source=None):
        self.socket.send(ethernet(source or self.mac, target, packet, kind))

    def hears(self, wanted, seconds=1):
        """The first frame that wanted(frame) is true of; None: none came."""
        self.socket.settimeout(seconds)
        try:
            while True:
                frame = self.socket.recv(65536)
                if wanted(frame):
                    return frame
        except TimeoutError:
            return None

    def close(self):
        self.socket.close()


FDB_MAX_LEARNED = 49 # of linux/if_link.h since 6.8


def bridge_attributes(name):
    """{number: value} of the bridge's 32-bit attributes, as the kernel tells them."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        question = struct.pack("=BxHiII", 0, 0, socket.if_nametoindex(name), 0, 0)
        sock.send(struct.pack("=IHHII", 16 + len(question), 18, 1, 1, 0) + question) # RTM_GETLINK
        answer = sock.recv(65536)
    link = attributes(attributes(answer[32:])[18]) # IFLA_LINKINFO
    return {kind: struct.unpack("=I", value)[0] for kind, value in attributes(link[2]).items() if len(value) == 4}


def attributes(data):
    found = {}
    while len(data) >= 4:
        size, kind = struct.unpack("=HH", data[:4])
        if size < 4:
            break
        found[kind & 0x3fff] = data[4:size]
        data = data[(size + 3) & ~3:]
    return found

# SPDX-License-Identifier: Apache-2.0
"""A WebSocket client of a few lines, that shows every frame."""

import base64
import hashlib
import os
import socket
import struct

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Refused(Exception):
    def __init__(self, status, head, body):
        super().__init__(f"{status} {body!r}")
        self.status, self.head, self.body = status, head, body


class WebSocket:
    def __init__(self, host, port, path, headers=None, timeout=20):
        self.sock = socket.create_connection((host, port), timeout)
        self.rest = b""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "Connection: Upgrade", "Upgrade: websocket",
                 "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}",
                 *(f"{name}: {value}" for name, value in (headers or {}).items())]
        self.sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.sock.recv(1)
            if not byte:
                raise ConnectionError(f"the server hung up after {head!r}")
            head += byte
        status = int(head.split()[1])
        if status != 101:
            raise Refused(status, head, self.sock.recv(65536))
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        if b"Sec-WebSocket-Accept: " + accept not in head:
            raise ConnectionError(f"the server did not mean us: {head!r}")

    def send(self, data, opcode=BINARY, final=True):
        head = bytes([(0x80 if final else 0) | opcode])
        if len(data) < 126:
            head += bytes([0x80 | len(data)])
        elif len(data) < 1 << 16:
            head += bytes([0x80 | 126]) + struct.pack(">H", len(data))
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", len(data))
        mask = os.urandom(4)
        stream = mask * (len(data) // 4 + 1)
        masked = (int.from_bytes(data, "big") ^ int.from_bytes(stream[:len(data)], "big")).to_bytes(len(data), "big")
        self.sock.sendall(head + mask + masked)

    def _read(self, size):
        while len(self.rest) < size:
            part = self.sock.recv(1 << 16)
            if not part:
                raise ConnectionError("the server hung up")
            self.rest += part
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def receive(self):
        """(opcode, bytes) of the next frame; a ping is answered."""
        head = self._read(2)
        size = head[1] & 127
        if size == 126:
            size, = struct.unpack(">H", self._read(2))
        elif size == 127:
            size, = struct.unpack(">Q", self._read(8))
        data = self._read(size)
        opcode = head[0] & 15
        if opcode == PING:
            self.send(data, PONG)
        return opcode, data

    def close(self, code=1000):
        """Says goodbye and waits for the other's; its code."""
        self.send(struct.pack(">H", code), CLOSE)
        while True:
            opcode, data = self.receive()
            if opcode == CLOSE:
                self.sock.close()
                return struct.unpack(">H", data[:2])[0] if data else None

# SPDX-License-Identifier: Apache-2.0
"""How mitmproxy reads its connections: by larger parts than its own, and long bodies past its layers.

The layers take each part of a body through a dozen generators and as many copies. A long body that
goes from one HTTP/1.1 connection to another needs none of that between its beginning and its end:
here it is read, decrypted, recorded, encrypted and written. Then the layers are told how much of the
body is left to them. Usually that is its last byte, by which they see its end; after a failure it is
what is missing, and the failure, which they meet again, is theirs to handle.

This looks into mitmproxy 8.1 and h11 0.14, as Debian 12 has them. What doesn't look as expected
goes through the layers.
"""

import asyncio

from h11._readers import ContentLengthReader
from mitmproxy import ctx
from mitmproxy.proxy import events
from mitmproxy.proxy.layers.http import HttpLayer
from mitmproxy.proxy.layers.http._http1 import Http1Connection
from mitmproxy.proxy.layers.tls import _TLSLayer
from OpenSSL import SSL

LAYERS_PART = 256 << 10
PART = 512 << 10
TLS_RECORD = 16 << 10
LONG = 1 << 20 # a body that is worth it
RELAYS_MAX = 16 # at once: each has some 2 MiB
QUEUE_MAX = 1 << 20 # far more than what can be read of a body without any of it: TLS records, chunks' heads


class End:
    """A connection as it is below its HTTP/1.1."""

    def __init__(self, handler, http_layer, connection):
        self.writer = handler.transports[connection].writer
        layer = http_layer.connections[connection]
        tls_layers = [l for l in http_layer.context.layers if isinstance(l, _TLSLayer) and l.conn is connection]
        while not isinstance(layer, Http1Connection):
            if isinstance(layer, _TLSLayer):
                tls_layers.append(layer)
            layer = layer.child_layer
        if len(tls_layers) > 1:
            raise ValueError("TLS within TLS")
        self.http1 = layer
        self.tls = tls_layers[0].tls if tls_layers else None

    def decrypt(self, data, size):
        """At most so many bytes of what it says."""
        if not self.tls:
            return data
        plain = bytearray()
        self.tls.bio_write(data)
        try:
            while len(plain) < size:
                plain += self.tls.recv(min(TLS_RECORD, size - len(plain)))
        except SSL.Error:
            pass # that was all for now, or the layers will meet it again
        return plain

    def encrypt(self, data):
        if not self.tls or not data:
            return data
        self.tls.sendall(data)
        return self.tls.bio_read(2 * PART)


class Expected:
    """A body that is on its way to us."""

    def __init__(self, flow, http_layer, body, size):
        self.flow = flow
        self.http_layer = http_layer
        self.body = body
        self.size = size # None: not known
        self.read = 0 # behind the part that its head was in

    def is_over(self):
        return self.size is None or self.body.size >= self.size

    def ends(self, handler, source):
        """Where it comes from and goes to; None: not by HTTP/1.1."""
        target = self.flow.server_conn if source is self.flow.client_conn else self.flow.client_conn
        try:
            return [End(handler, self.http_layer, connection) for connection in (source, target)]
        except (AttributeError, KeyError, ValueError):
            return None


class Reader:
    """Stands in for the asyncio.StreamReader of a connection."""

    relays = 0 # of all of them

    def __init__(self, handler, connection):
        io = handler.transports[connection]
        self.handler = handler
        self.connection = connection
        self.first = io.reader # has what came before us
        io.writer.transport.pause_reading()
        self.socket = io.writer.get_extra_info("socket").dup()
        self.expected = None
        io.reader = self

    async def read(self, _size):
        if self.first._buffer:
            return await self.first.read(LAYERS_PART)
        if self.expected:
            await self.take_expected()
        await asyncio.sleep(0) # what is there already is had without waiting, and hooks would never run
        data = await asyncio.get_running_loop().sock_recv(self.socket, LAYERS_PART)
        if self.expected:
            self.expected.read += len(data)
        return data

    async def take_expected(self):
        expected = self.expected
        if expected.read >= QUEUE_MAX and not expected.body.size:
            await expected.body.begun.wait() # the layers would queue whatever comes, however much
        ends = expected.ends(self.handler, self.connection)
        if not ends or expected.is_over() or Reader.relays >= RELAYS_MAX:
            self.expected = None
            return
        source = ends[0].http1
        if expected.size - source.body_reader._remaining != expected.body.size or source.buf:
            return # a part of it is in the layers
        self.expected = None
        await self.relay(*ends, expected.body, expected.size)

    async def relay(self, source, target, body, size):
        Reader.relays += 1
        try:
            await self.copy(source, target, body, size - 1)
        except OSError:
            pass # the layers will meet it again
        except SSL.Error:
            target.writer.transport.abort() # a part was not sent: nothing may follow
        finally:
            Reader.relays -= 1
            source.http1.body_reader = ContentLengthReader(size - body.size)
        # What TLS has decrypted beyond that brings no event of the socket.
        self.handler.server_event(events.DataReceived(self.connection, b""))

    async def copy(self, source, target, body, size):
        loop = asyncio.get_running_loop()
        buffer = memoryview(bytearray(PART))
        while body.size < size and not target.writer.transport.is_closing():
            limit = PART if source.tls else min(PART, size - body.size)
            count = await loop.sock_recv_into(self.socket, buffer[:limit])
            if not count:
                break
            data = source.decrypt(buffer[:count], size - body.size)
            body(data)
            target.writer.write(target.encrypt(data))
            await self.handler.drain_writers()
            self.handler.timeout_watchdog.register_activity()
            await asyncio.sleep(0) # nothing of the above waits while all is ready: the others' turn


class Relay:
    """An addon."""

    def __init__(self):
        self.readers = {}
        self.contexts = {} # a client's innermost

    def expect(self, source, flow, body, size):
        """By that connection the body comes next, and nothing else before its end."""
        reader, context = self.readers.get(source), self.contexts.get(flow.client_conn)
        if not reader or not context or source.alpn == b"h2":
            return
        if size is None or size >= LONG:
            http_layer = [l for l in context.layers if isinstance(l, HttpLayer)][-1]
            reader.expected = Expected(flow, http_layer, body, size)

    def read(self, client, connection):
        handlers = ctx.master.addons.get("proxyserver")._connections
        self.readers[connection] = Reader(handlers["tcp", client.peername, client.sockname], connection)

    def stop(self, connection):
        reader = self.readers.pop(connection, None)
        if reader:
            reader.socket.close()

    def client_connected(self, client):
        if not client.error:
            self.read(client, client)

    def client_disconnected(self, client):
        self.contexts.pop(client, None)
        self.stop(client)

    def server_connected(self, data):
        self.read(data.client, data.server)

    def server_disconnected(self, data):
        self.stop(data.server)

    def next_layer(self, next_layer):
        self.contexts[next_layer.context.client] = next_layer.context

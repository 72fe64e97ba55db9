# SPDX-License-Identifier: Apache-2.0
"""A mitmproxy addon: one JSON line for each flow, as GET /instances/{id}/traffic hands it out.

Bodies are passed on as they come, however long; of each, the first bytes, the length and the hash
are recorded.

    CTFY_FLOWS        the file
    CTFY_FLOWS_MAX    bytes of it from which on bodies are left out; at twice as many, flows are
    CTFY_BODY_MAX     bytes of a body that are recorded
"""

import asyncio
import base64
import hashlib
import json
import os
import sys
from datetime import datetime, timezone
from ipaddress import ip_address

from mitmproxy import ctx
from mitmproxy.net import encoding
from mitmproxy.net.http.http1 import expected_http_body_size

from relay import Relay

FLOWS = os.environ["CTFY_FLOWS"]
FLOWS_MAX = int(os.environ.get("CTFY_FLOWS_MAX", 512 << 20))
BODY_MAX = int(os.environ.get("CTFY_BODY_MAX", 64 << 10))
MESSAGES_MAX = 10000 # of one WebSocket


# --- What is recorded ----------------------------------------------------------------------------


def time_text(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(begin, end):
    return round((end - begin) * 1000, 1) if begin and end else 0


def clean(text):
    """Text that any JSON reader takes, whatever was sent."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "\ufffd")


def content_fields(data):
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    return {"base64": base64.b64encode(data).decode()} if "\0" in text else {"text": text}


def headers_list(message):
    return [{"name": clean(name), "value": clean(value)} for name, value in message.headers.items(multi=True)]


def address_text(address):
    if not address:
        return None
    return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"


class Body:
    """What is kept of a body. Called with each part on its way; the last call has none."""

    def __init__(self):
        self.first = bytearray()
        self.size = 0
        self.hash = hashlib.sha256()
        self.begun = asyncio.Event()

    def __call__(self, part):
        self.begun.set()
        self.size += len(part)
        self.hash.update(part)
        if len(self.first) < BODY_MAX:
            self.first += part[:BODY_MAX - len(self.first)]
        return part

    def fields(self, content_encoding, with_content):
        fields = {"size": self.size}
        if not self.size:
            return fields
        fields["sha256"] = self.hash.hexdigest()
        fields["truncated"] = self.size > len(self.first) or not with_content
        if with_content:
            fields.update(content_fields(self.content(content_encoding)))
        return fields

    def content(self, content_encoding):
        """Decoded where all of it is here."""
        data = bytes(self.first)
        if content_encoding and self.size == len(data):
            try:
                data = encoding.decode(data, content_encoding)[:BODY_MAX]
            except ValueError:
                pass # it isn't what it says
        return data


class Flow:
    """What is known of a flow until its line is written."""

    def __init__(self, flow):
        self.flow = flow
        self.bodies = {}
        self.messages = []
        self.message_count = 0

    def body(self, message, with_content):
        body = self.bodies.get(message)
        if not body: # it was not streamed, so it is short
            body = Body()
            body(message.raw_content or b"")
        return body.fields(message.headers.get("content-encoding"), with_content)

    def add_message(self, message, with_content):
        self.message_count += 1
        if self.message_count > MESSAGES_MAX:
            return
        data = message.content
        row = {"at": time_text(message.timestamp), "from_client": message.from_client,
               "type": "text" if message.is_text else "binary", "size": len(data)}
        if with_content:
            row["truncated"] = len(data) > BODY_MAX
            data = data[:BODY_MAX]
            row.update(content_fields(data) if not message.is_text
                       else {"text": clean(data.decode("utf-8", "replace"))})
        self.messages.append(row)

    def record(self, error, with_content):
        flow, request, response = self.flow, self.flow.request, self.flow.response
        record = {
            "id": flow.id, "started_at": time_text(request.timestamp_start),
            "client": address_text(flow.client_conn.peername),
            "server": address_text(flow.server_conn.peername),
            "via": "proxy",
            "request": {
                "method": clean(request.method), "url": clean(request.pretty_url),
                "http_version": request.http_version, "headers": headers_list(request),
                "body": self.body(request, with_content)},
            "websocket": None, "error": clean(error) if error else None,
        }
        end = request.timestamp_end or request.timestamp_start
        if response:
            end = response.timestamp_end or response.timestamp_start or end
            record["response"] = {
                "status": response.status_code, "reason": clean(response.reason or ""),
                "http_version": response.http_version, "headers": headers_list(response),
                "body": self.body(response, with_content)}
            record["timings"] = {
                "send": milliseconds(request.timestamp_start, request.timestamp_end),
                "wait": max(0, milliseconds(request.timestamp_end, response.timestamp_start)),
                "receive": milliseconds(response.timestamp_start, response.timestamp_end)}
        if flow.websocket:
            end = flow.websocket.timestamp_end or end
            record["websocket"] = {
                "messages": self.messages, "message_count": self.message_count,
                "close_code": flow.websocket.close_code,
                "closed_by_client": flow.websocket.closed_by_client}
        record["duration_ms"] = milliseconds(request.timestamp_start, end)
        return record


class Record:
    def __init__(self):
        self.file = os.open(FLOWS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.size = os.fstat(self.file).st_size
        self.torn = self.size > 0 and not self.ends_a_line()
        self.lost = 0
        self.flows = {}
        self.relay = Relay()

    def client_connected(self, client):
        """Whoever asks the proxy for the proxy would have it ask itself, again and again, until its memory ends."""
        if client.peername[0] == client.sockname[0] or ip_address(client.peername[0]).is_loopback:
            client.error = "the recorder speaks to itself"

    def of(self, flow):
        return self.flows.setdefault(flow.id, Flow(flow))

    def stream(self, flow, message, source, size):
        if size == 0:
            return
        message.stream = body = self.of(flow).bodies[message] = Body()
        self.relay.expect(source, flow, body, size)

    def requestheaders(self, flow):
        self.of(flow)
        self.stream(flow, flow.request, flow.client_conn, expected_http_body_size(flow.request))

    def responseheaders(self, flow):
        size = expected_http_body_size(flow.request, flow.response)
        self.stream(flow, flow.response, flow.server_conn, size)

    def response(self, flow):
        if not flow.websocket:
            self.put(flow)

    def error(self, flow):
        self.put(flow, flow.error.msg)

    def websocket_message(self, flow):
        messages = flow.websocket.messages
        self.of(flow).add_message(messages[-1], self.has_room())
        del messages[:-1]

    def websocket_end(self, flow):
        self.put(flow)

    def has_room(self):
        return self.size < FLOWS_MAX

    def put(self, flow, error=None):
        kept = self.flows.pop(flow.id, None)
        if not kept:
            return # its line is written
        for body in kept.bodies.values():
            body.begun.set()
        if self.size >= 2 * FLOWS_MAX:
            self.lost += 1
            return
        record = kept.record(error, self.has_room())
        line = (json.dumps(record, separators=(",", ":")) + "\n").encode()
        self.append(line)

    @staticmethod
    def ends_a_line():
        with open(FLOWS, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() == b"\n"

    def append(self, line):
        """A line that a full disk cut short is ended before the next, so that it spoils no other."""
        data = (b"\n" if self.torn else b"") + line
        try:
            written = os.write(self.file, data)
        except OSError:
            written = 0
        if written > 0:
            self.torn = written < len(data) and not (self.torn and written == 1)
        self.lost += written < len(data)
        self.size += written

    def done(self):
        for kept in list(self.flows.values()):
            self.put(kept.flow, "the recording ended before it")
        if self.lost:
            print(f"{self.lost} flows were not recorded: there was no room", file=sys.stderr)


record = Record()
addons = [record, record.relay]

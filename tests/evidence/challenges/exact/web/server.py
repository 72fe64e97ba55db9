# SPDX-License-Identifier: Apache-2.0
"""The same on 8080 and 8081: knows no HTTP, but answers what looks like it.

What a connection says up to its end comes back in hexadecimal digits. Other than that:

    GET /answer/NAME   ANSWERS[NAME], and the end
    GET /reset         the beginning of an answer, and a reset once the client has said so much as a byte
    GET /events        an event for each byte that the client says after it
    GET /expect        "100 Continue" for the head, "200 OK" for the body
    GET /count         how many bytes came before the end
    GET /upgrade       101, and from then on what comes goes back
    GET /quiet         nothing, until the client goes
    GET /resets        how many connections were reset by their clients
"""

import socket
import socketserver
import struct
import threading

OK = b"HTTP/1.1 200 OK\r\n"
ANSWERS = {
    "early": b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nhi",
    "trailers": OK + b"Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-Sum: 42\r\n\r\n",
    "odd-chunks": OK + b"transfer-encoding:chunked\r\n\r\n0003 \r\nabc\r\n00\r\n\r\n",
    "bare-lf": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
    "no-reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi",
    "number": b"HTTP/1.1 999 Strange\r\nContent-Length: 2\r\n\r\nhi",
    "version": b"HTTP/3.7 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "not-http": b"SSH-2.0-nothing\r\n\x00\xff\xfe",
    "nothing": b"",
    "until-end": OK + b"\r\nall that comes",
    "too-long": OK + b"Content-Length: 2\r\n\r\nhigh and more",
    "too-short": OK + b"Content-Length: 20\r\n\r\nhi",
    "two-lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
    "length-and-chunks": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "cookies": OK + b"Set-Cookie: a=1\r\nset-cookie: b=2\r\nSET-COOKIE: a=3\r\nContent-Length: 0\r\n\r\n",
    "folded": OK + b"X-Long: one\r\n\ttwo\r\n   three\r\nContent-Length: 0\r\n\r\n",
    "bytes": OK + b"X-Bytes: \x01\x80\xff\r\nContent-Length: 4\r\n\r\n\x00\x01\xfe\xff",
    "long-head": OK + b"X-Long: " + b"y" * 300000 + b"\r\nContent-Length: 2\r\n\r\nhi",
    "many-heads": OK + b"".join(b"X-%d: %d\r\n" % (i, i) for i in range(2000)) + b"Content-Length: 2\r\n\r\nhi",
    "gzip-lie": OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
    "not-modified": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n",
    "no-content": b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc",
    "two-answers": OK + b"Content-Length: 1\r\n\r\na" + OK + b"Content-Length: 1\r\n\r\nb",
}
HEAD_MAX = 1 << 20 # what is longer is not waited for
resets = 0


class Speaker(socketserver.BaseRequestHandler):
    def handle(self):
        global resets
        self.heard = b""
        try:
            while len(self.heard) < HEAD_MAX and not self.has_head() and self.hear():
                pass
            path = self.heard.split(b" ", 2)[1].decode("latin-1") if self.heard.startswith(b"GET /") else "/"
            word, _, name = path[1:].partition("/")
            getattr(self, "do_" + word, self.echo)(name)
        except ConnectionResetError:
            resets += 1

    def has_head(self):
        return b"\n\r\n" in self.heard or b"\n\n" in self.heard

    def hear(self):
        data = self.request.recv(1 << 20)
        self.heard += data
        return data

    def say(self, data):
        self.request.sendall(data)

    def end(self):
        self.request.shutdown(socket.SHUT_WR)
        while self.request.recv(65536):
            pass

    def answer(self, text):
        self.say(OK + b"Content-Length: %d\r\n\r\n" % len(text) + text)
        self.end()

    def echo(self, _name):
        while self.hear():
            pass
        self.answer(self.heard.hex().encode())

    def do_answer(self, name):
        self.say(ANSWERS[name])
        self.end()

    def do_reset(self, _name):
        self.say(OK + b"Content-Length: 100\r\n\r\nso much ")
        self.request.recv(1)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.request.close()

    def do_events(self, _name):
        self.say(OK + b"Content-Type: text/event-stream\r\n\r\n")
        while data := self.request.recv(1):
            self.say(b"data: " + data + b"\n\n")

    def do_expect(self, _name):
        self.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not self.heard.endswith(b"body"):
            self.hear()
        self.answer(b"thanks")

    def do_count(self, _name):
        count = len(self.heard)
        while data := self.request.recv(1 << 20):
            count += len(data)
        self.answer(str(count).encode())

    def do_upgrade(self, _name):
        self.say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        self.say(self.heard.partition(b"\r\n\r\n")[2]) # who doesn't wait is heard all the same
        while data := self.request.recv(1 << 20):
            self.say(data)

    def do_quiet(self, _name):
        while self.request.recv(65536):
            pass

    def do_resets(self, _name):
        self.answer(str(resets).encode())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 4096


def main():
    threading.stack_size(256 << 10)
    threading.Thread(target=Server(("0.0.0.0", 8081), Speaker).serve_forever, daemon=True).start()
    print("serving", flush=True)
    Server(("0.0.0.0", 8080), Speaker).serve_forever()


main()

# SPDX-License-Identifier: Apache-2.0
"""HTTP on 8080, HTTPS on 8443 with a certificate of its own, HTTP/2 on 8444 that says back the path: echoes, long answers, a WebSocket.

GET /flag, POST /echo, GET /long?N (N bytes), GET /cut?N (of which half comes), GET /drip?TEXT (chunked,
each byte and each head of a chunk by itself), GET /gzip, GET /ws (a WebSocket that echoes), GET /log?LINE
(into its log).
"""

import base64
import gzip
import hashlib
import http.server
import os
import socketserver
import ssl
import threading
import time
from datetime import datetime, timedelta

import h2.config
import h2.connection
import h2.events
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, **headers):
        self.send_response(200)
        for name, value in {"Content-Type": "text/plain", "Content-Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/long":
            self.long(int(query.partition("&")[0]))
        elif path == "/drip":
            self.drip(query.encode())
        elif path == "/cut":
            self.cut(int(query))
        elif path == "/gzip":
            self.answer(gzip.compress(b"small and plain"), Content_Encoding="gzip")
        elif path == "/ws":
            self.websocket()
        elif path == "/log":
            print(query, flush=True)
            self.answer(b"logged")
        else:
            self.answer(os.environ["FLAG"].encode() if path == "/flag" else self.path.encode())

    def do_POST(self):
        size = int(self.headers["Content-Length"])
        if size > 1 << 20: # as it comes
            total = 0
            while total < size:
                total += len(self.rfile.read(min(65536, size - total)))
            self.answer(str(total).encode())
        else:
            self.answer(self.rfile.read(size), Content_Type="application/octet-stream")

    def long(self, size):
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        part = b"0123456789abcdef" * 4096
        for _ in range(size // len(part)):
            self.wfile.write(part)
        self.wfile.write(part[:size % len(part)])

    def drip(self, text):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (b"1\r\n", b"%c", b"\r\n") * len(text) + (b"0\r\n\r\n",):
            time.sleep(0.02)
            self.wfile.write(part.replace(b"%c", text[:1]))
            if part == b"%c":
                text = text[1:]

    def cut(self, size):
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(bytes(size // 2))
        self.close_connection = True

    def websocket(self):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.close_connection = True
        while True:
            head = self.rfile.read(2)
            opcode, size = head[0] & 15, head[1] & 127 # short ones only
            mask = self.rfile.read(4)
            data = bytes(b ^ mask[i % 4] for i, b in enumerate(self.rfile.read(size)))
            self.wfile.write(bytes([0x80 | opcode, len(data)]) + data)
            if opcode == 8:
                return

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024


class Http2(socketserver.BaseRequestHandler):
    def handle(self):
        conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        conn.initiate_connection()
        self.request.sendall(conn.data_to_send())
        while data := self.request.recv(65536):
            for event in conn.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    headers = {name.decode(): value.decode() for name, value in event.headers}
                    conn.send_headers(event.stream_id, [(":status", "200"), ("content-type", "text/plain")])
                    conn.send_data(event.stream_id, headers[":path"].encode(), end_stream=True)
            self.request.sendall(conn.data_to_send())


def own_certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "web")])
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(datetime.utcnow() - timedelta(days=1))
                   .not_valid_after(datetime.utcnow() + timedelta(days=1)).sign(key, hashes.SHA256()))
    with open("/tmp/both.pem", "wb") as file:
        file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                     serialization.NoEncryption()))
        file.write(certificate.public_bytes(serialization.Encoding.PEM))


def serve_tls(server, *protocols):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/tmp/both.pem")
    if protocols:
        context.set_alpn_protocols(protocols)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main():
    own_certificate()
    serve_tls(Server(("0.0.0.0", 8443), Handler))
    serve_tls(socketserver.ThreadingTCPServer(("0.0.0.0", 8444), Http2), "h2")
    print("serving", flush=True)
    Server(("0.0.0.0", 8080), Handler).serve_forever()


main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The engine room through TLS that asks for certificates: with right, wrong and none of them.

engine-tls.py ENGINE-CALL ENGINE-REAL

Docker's own TLS needs a dockerd of its own, and a second one beside the first takes its rules away.
So the engine's socket is put behind TLS here, as `dockerd --tlsverify` would have it.
"""

import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

ENGINE = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stderr=subprocess.DEVNULL)


def make_certificate(folder, name, extension):
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            f"/CN={name}", "-keyout", f"{folder}/{name}key.pem", "-out", f"{folder}/{name}.csr")
    with open(f"{folder}/{name}.ext", "w", encoding="ascii") as file:
        file.write(extension)
    openssl("x509", "-req", "-in", f"{folder}/{name}.csr", "-CA", f"{folder}/ca.pem", "-CAkey",
            f"{folder}/ca-key.pem", "-CAcreateserial", "-days", "2", "-extfile",
            f"{folder}/{name}.ext", "-out", f"{folder}/{name}.pem")


def make_certificates(folder):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=ctfy test", "-days", "2", "-keyout", f"{folder}/ca-key.pem", "-out",
            f"{folder}/ca.pem")
    make_certificate(folder, "server", "subjectAltName=IP:127.0.0.1\n")
    make_certificate(folder, "client", "extendedKeyUsage=clientAuth\n")
    os.rename(f"{folder}/client.pem", f"{folder}/cert.pem")
    os.rename(f"{folder}/clientkey.pem", f"{folder}/key.pem")


def copy(source, sink):
    """Until the end, which is passed on as a half-close."""
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
        end_writing(sink)
    except OSError:
        source.close()
        sink.close()


def end_writing(sink):
    if isinstance(sink, ssl.SSLSocket):
        sink.unwrap()
    else:
        sink.shutdown(socket.SHUT_WR)


def serve(connection, context):
    try:
        client = context.wrap_socket(connection, server_side=True)
    except OSError:
        connection.close()
        return
    engine = socket.socket(socket.AF_UNIX)
    engine.connect(ENGINE)
    upward = threading.Thread(target=copy, args=(client, engine), daemon=True)
    upward.start()
    copy(engine, client)
    upward.join()
    engine.close()
    client.close()


def listen(folder):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/server.pem", f"{folder}/serverkey.pem")
    context.load_verify_locations(f"{folder}/ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection, context), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def refused(engine_call, url, cert_dir):
    """What engine-call says when it is to be refused."""
    environment = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": cert_dir} if cert_dir else {}
    ran = subprocess.run([engine_call, url, "5000", "ping"], env=environment, check=False,
                         stdout=subprocess.PIPE, text=True)
    if ran.returncode != 1 or not ran.stdout.startswith("error tls: engine 'https://"):
        sys.exit(f"{url}, certificates {cert_dir}: exit {ran.returncode}: {ran.stdout}")


def main(engine_call, engine_real):
    with tempfile.TemporaryDirectory(prefix="ctfy-engine-") as ours, \
            tempfile.TemporaryDirectory(prefix="ctfy-engine-") as strangers:
        make_certificates(ours)
        make_certificates(strangers)
        port = listen(ours)
        refused(engine_call, f"tcp://127.0.0.1:{port}", strangers)
        refused(engine_call, f"https://127.0.0.1:{port}", None)
        environment = os.environ | {"DOCKER_HOST": f"tcp://127.0.0.1:{port}",
                                    "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": ours}
        return subprocess.run([engine_real], env=environment, check=False).returncode


sys.exit(main(*sys.argv[1:]))

"""A parcel desk: customers see their own parcel, clerks the ledger."""

import base64
import hashlib
import hmac
import json
import os
import random
import secrets
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

KEY = secrets.token_bytes(32)
CONTENTS = ["socks", "a kettle", "seeds", "a lamp", "two books", "a harmonica"]
CUSTOMERS = ["Ada", "Boris", "Chen", "Dilek", "Emeka", "Freya"]
PARCELS = 40

PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Parcel desk</title></head>
<body style="max-width: 40rem; margin: 2rem auto; font-family: sans-serif">
<h1>Parcel desk</h1>
{}
</body>
</html>
"""
LOGIN = """<form action="/login"><input name="name" placeholder="Your name" aria-label="Your name"
required> <button>Come in</button></form>"""


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign(algorithm, signed):
    if algorithm == "none":
        return b""
    if algorithm == "HS256":
        return hmac.digest(KEY, signed.encode(), hashlib.sha256)
    raise ValueError(f"unknown algorithm {algorithm}")


def make_token(claims):
    signed = encode(b'{"alg":"HS256"}') + "." + encode(json.dumps(claims).encode())
    return signed + "." + encode(sign("HS256", signed))


def read_token(token):
    """The claims of a token, None where it is not genuine."""
    try:
        head, body, signature = token.split(".")
        expected = sign(json.loads(decode(head))["alg"], f"{head}.{body}")
        if not hmac.compare_digest(expected, decode(signature)):
            return None
        claims = json.loads(decode(body))
        return {"name": str(claims["name"]), "role": str(claims["role"]),
                "parcel": int(claims["parcel"])}
    except (ValueError, KeyError, TypeError):
        return None


def fill_shelf(user_flag):
    shelf = {number: {"owner": random.choice(CUSTOMERS), "marked": "ordinary",
                      "holds": random.choice(CONTENTS)} for number in range(1, PARCELS + 1)}
    shelf[random.randint(2, PARCELS)].update(marked="confidential", holds=user_flag)
    return shelf


class Handler(BaseHTTPRequestHandler):
    shelf = fill_shelf(os.environ["USER_FLAG"])
    ledger = ["opened at eight", "forty parcels", os.environ["ADMIN_FLAG"]]

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/":
            self.show(200, LOGIN)
        elif url.path == "/login":
            self.login(parse_qs(url.query).get("name", ["nobody"])[0])
        else:
            self.serve_customer(url.path, read_token(self.read_cookie()))

    def login(self, name):
        token = make_token({"name": name[:40], "role": "customer", "parcel": 1})
        self.send_response(303)
        self.send_header("Set-Cookie", f"token={token}; HttpOnly; SameSite=Lax")
        self.send_header("Location", "/parcel/1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def read_cookie(self):
        for cookie in self.headers.get("Cookie", "").split(";"):
            name, _, value = cookie.strip().partition("=")
            if name == "token":
                return value
        return ""

    def serve_customer(self, path, customer):
        if customer is None:
            self.show(403, LOGIN)
        elif path == "/ledger":
            self.show_ledger(customer)
        elif path.startswith("/parcel/"):
            self.show_parcel(path.removeprefix("/parcel/"))
        else:
            self.show(404, "<p>There is no such counter.</p>")

    def show_ledger(self, customer):
        if customer["role"] != "clerk":
            self.show(403, f"<p>The ledger is not for you, {escape(customer['name'])}.</p>")
            return
        lines = "".join(f"<li>{escape(line)}</li>" for line in self.ledger)
        self.show(200, f"<ol>{lines}</ol>")

    def show_parcel(self, number):
        parcel = self.shelf.get(int(number)) if number.isdecimal() else None
        if parcel is None:
            self.show(404, "<p>There is no such parcel.</p>")
            return
        rows = "".join(f"<dt>{key}</dt><dd>{escape(value)}</dd>" for key, value in parcel.items())
        self.show(200, f"<dl>{rows}</dl>")

    def show(self, status, content):
        body = PAGE.format(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("", 8080), Handler).serve_forever()

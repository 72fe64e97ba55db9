"""The notes' pages. The notes themselves are the store's."""

import json
import time
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qs, quote, urlsplit
from urllib.request import Request, urlopen

STORE = "http://store:8000/notes"
FORM_BYTES = 16384

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Notes</title>
<style>
body { max-width: 40rem; margin: 2rem auto; font-family: sans-serif; }
input, textarea { width: 100%%; box-sizing: border-box; margin: 0.2rem 0; }
article { border-top: 1px solid #ccc; }
</style>
</head>
<body>
<h1>Notes</h1>
<form action="/"><input type="search" name="q" value="%s" placeholder="Search" aria-label="Search"></form>
%s
<h2>New note</h2>
<form action="/" method="post">
<input name="title" placeholder="Title" aria-label="Title" required>
<textarea name="body" placeholder="Text" aria-label="Text"></textarea>
<button>Keep it</button>
</form>
</body>
</html>
"""


def call_store(query="", note=None):
    body = None if note is None else json.dumps(note).encode()
    with urlopen(Request(STORE + query, data=body), timeout=5) as answer:
        return json.load(answer)


def show_note(note):
    return (f"<article><h2>{escape(str(note['title']))}</h2>"
            f"<p>{escape(str(note['body']))}</p></article>")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        words = parse_qs(urlsplit(self.path).query).get("q", [""])[0]
        try:
            notes = call_store("?q=" + quote(words))
        except HTTPError as error:
            self.show(400, words, f"<p>{escape(json.load(error)['error'])}</p>")
        except (URLError, TimeoutError):
            self.show(502, words, "<p>The store does not answer.</p>")
        else:
            self.show(200, words, "".join(map(show_note, notes)) or "<p>Nothing found.</p>")

    def do_POST(self):
        size = int(self.headers.get("Content-Length", 0))
        if size > FORM_BYTES:
            self.show(413, "", "<p>That is too long for a note.</p>")
            return
        form = parse_qs(self.rfile.read(size).decode(errors="replace"))
        try:
            call_store(note={key: form.get(key, [""])[0] for key in ("title", "body")})
        except (URLError, TimeoutError):
            self.show(502, "", "<p>The store does not answer.</p>")
            return
        self.send_response(303)
        self.send_header("Location", "/")
        self.end_headers()

    def show(self, status, words, content):
        body = (PAGE % (escape(words), content)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def wait_for_store(seconds):
    """Whoever can connect to us can use us: nobody can before the store answers."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call_store()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


wait_for_store(30)
ThreadingHTTPServer(("", 8080), Handler).serve_forever()

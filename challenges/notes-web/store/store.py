"""Keeps the notes. Only the instance's own network can reach it."""

import json
import os
import sqlite3
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SCHEMA = """
CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT, body TEXT);
CREATE TABLE vault (secret TEXT);
INSERT INTO notes (title, body) VALUES
    ('Welcome', 'Write down what you must not forget.'),
    ('Shopping', 'Bread, milk, two quotes that match.'),
    ('Operations', 'The vault is in the same database. Move it one day!');
"""
NOTES_KEPT = 1000
QUERY_SECONDS = 2


class Store:
    def __init__(self, secret):
        self.lock = threading.Lock()
        self.db = sqlite3.connect(":memory:", check_same_thread=False)
        self.db.executescript(SCHEMA)
        self.db.execute("INSERT INTO vault VALUES (?)", (secret,))

    def query(self, statement, values=()):
        with self.lock:
            deadline = time.monotonic() + QUERY_SECONDS
            self.db.set_progress_handler(lambda: time.monotonic() > deadline, 10000)
            return self.db.execute(statement, values).fetchall()

    def search(self, words):
        # The bug: the words become part of the statement.
        rows = self.query(f"SELECT id, title, body FROM notes WHERE title LIKE '%{words}%'"
                          " ORDER BY 1 DESC LIMIT 50")
        return [{"id": row[0], "title": row[1], "body": row[2]} for row in rows]

    def add(self, title, body):
        self.query("INSERT INTO notes (title, body) VALUES (?, ?)", (title[:200], body[:4000]))
        self.query("DELETE FROM notes WHERE id <= (SELECT max(id) FROM notes) - ?", (NOTES_KEPT,))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        words = parse_qs(urlsplit(self.path).query).get("q", [""])[0]
        try:
            self.answer(200, self.server.store.search(words))
        except sqlite3.Error as error:
            self.answer(400, {"error": str(error)})

    def do_POST(self):
        note = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.store.add(note["title"], note["body"])
        self.answer(201, {})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = ThreadingHTTPServer(("", 8000), Handler)
server.store = Store(os.environ["FLAG"])
server.serve_forever()

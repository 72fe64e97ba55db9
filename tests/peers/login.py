#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Logging in with a real OpenID provider: `ctfy platform`, oidc-provider, and a browser's part played
by hand: it keeps cookies, follows redirects and fills in the provider's forms."""

import http.client
import re
import sys
import tempfile
import unittest
import urllib.parse
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "e2e"))
sys.dont_write_bytecode = True

import peers  # noqa: E402
from cluster import Platform, harness  # noqa: E402


class Browser:
    """Cookies by host, port and path; what a test asks for by a link comes with those alone."""

    def __init__(self):
        self.jar = {}

    def ask(self, method, url, form=None, **headers):
        parts = urllib.parse.urlsplit(url)
        body = urllib.parse.urlencode(form) if form else None
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        cookies = [f"{name}={value}" for (host, path, name), value in self.jar.items()
                   if host == parts.netloc and parts.path.startswith(path)]
        if cookies:
            headers["Cookie"] = "; ".join(cookies)
        conn = http.client.HTTPConnection(parts.netloc, timeout=60)
        try:
            conn.request(method, urllib.parse.urlunsplit(("", "") + parts[2:4] + ("",)), body, headers)
            answer = conn.getresponse()
            for line in answer.headers.get_all("Set-Cookie") or []:
                self.keep(parts, line)
            return harness.Reply(answer.status, answer.headers, answer.read())
        finally:
            conn.close()

    def keep(self, parts, line):
        pair, *rest = line.split(";")
        name, value = pair.split("=", 1)
        told = dict((word.strip().split("=", 1) + [""])[:2] for word in rest)
        key = (parts.netloc, told.get("path") or told.get("Path") or "/", name)
        self.jar[key] = value
        if not value or told.get("Max-Age") == "0":
            del self.jar[key]

    def follow(self, reply, url, until):
        """As far as an address that begins so, or a page that is no redirect; both."""
        while reply.status in (302, 303):
            url = urllib.parse.urljoin(url, reply.headers["Location"])
            if url.startswith(until):
                return reply, url
            reply = self.ask("GET", url)
        return reply, url


class Login(unittest.TestCase):
    def setUp(self):
        self.provider = peers.Peer("oidc.mjs")
        self.addCleanup(self.provider.close)
        self.dir = tempfile.TemporaryDirectory(prefix="ctfy-peers-")
        self.addCleanup(self.dir.cleanup)
        secret = Path(self.dir.name) / "secret"
        secret.write_text("a secret\n")
        (Path(self.dir.name) / "challenges").mkdir()
        self.platform = Platform(Path(self.dir.name) / "challenges", **{
            "oidc-issuer": f"http://127.0.0.1:{self.provider.port}", "oidc-client-id": "ctfy",
            "oidc-client-secret-file": secret, "oidc-scopes": "openid profile groups",
            "oidc-role-claim": "groups", "oidc-organisers": "staff", "oidc-label": "Example"})
        self.addCleanup(self.platform.close)
        self.url = f"http://127.0.0.1:{self.platform.port}"
        self.provider.tell(self.url + "/api/v1/oidc/callback")

    def log_in(self, browser, name, next_path="/challenges"):
        """Through the provider's pages; where it ends."""
        url = f"{self.url}/api/v1/oidc/login?next={next_path}"
        page, url = browser.follow(browser.ask("GET", url), url, self.url + "/login")
        for form in ({"prompt": "login", "login": name, "password": "any"}, {"prompt": "consent"}):
            if not url.startswith(self.url):
                self.assertEqual(page.status, 200, f"{url}: {page}")
                action = re.search(r'action="([^"]+)"', page.body.decode())[1]
                url = urllib.parse.urljoin(url, action)
                page, url = browser.follow(browser.ask("POST", url, form), url, self.url + "/login")
        self.assertTrue(url.startswith(self.url + "/login#"), f"{url}: {page}\n{self.platform.tail()}")
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).fragment))

    def test_people_log_in_and_are_who_they_were(self):
        told = self.platform.ask("GET", "/oidc")
        self.assertEqual(told, {"enabled": True, "label": "Example"})
        browser = Browser()
        first = self.log_in(browser, "zoe", "/team")
        self.assertEqual(first["next"], "/team")
        me = browser.ask("GET", self.url + "/api/v1/me").json
        self.assertEqual((me["name"], me["role"]), ("zoe", "player"))
        self.assertEqual(browser.ask("DELETE", self.url + "/api/v1/sessions").status, 403)
        word = {"X-CSRF-Token": first["csrf_token"]}
        self.assertEqual(browser.ask("DELETE", self.url + "/api/v1/sessions", **word).status, 204)
        self.assertEqual(browser.ask("GET", self.url + "/api/v1/me").status, 401)

        self.log_in(browser, "zoe")
        self.assertEqual(browser.ask("GET", self.url + "/api/v1/me").json["id"], me["id"])

        other = Browser()
        self.log_in(other, "staff-ann")
        self.assertEqual(other.ask("GET", self.url + "/api/v1/me").json["role"], "organiser")
        self.assertEqual(other.ask("GET", self.url + "/api/v1/admin/users").status, 200)


if __name__ == "__main__":
    peers.main()

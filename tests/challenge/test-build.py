#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Dockerfiles as challenges have them, built by a node: each service's image must hold what it should."""

import io
import os
import shutil
import socket
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "node-images"))
sys.dont_write_bytecode = True

import images  # noqa: E402, and harness by way of it
import harness  # noqa: E402
from harness import engine  # noqa: E402
from images import BUILD, Challenges, ImageTest  # noqa: E402

STAY = 'CMD ["sleep", "600"]\n'


def archive():
    """A .tar.gz with one file, as bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        entry = tarfile.TarInfo("inside")
        entry.size = 6
        tar.addfile(entry, io.BytesIO(b"packed"))
    return out.getvalue()


# name: (Dockerfile, what to run in the container, what that prints)
DOCKERFILES = {
    "plain": ("FROM ctfy/busybox\nCOPY data /srv/data\n" + STAY, "cat /srv/data", "data"),
    "flag": ("FROM ctfy/busybox\nARG FLAG\nENV FLAG=$FLAG\nRUN echo -n \"$FLAG\" > /flag && chmod 400 /flag\n"
             + STAY, "cat /flag; stat -c %a /flag", "flag{it}400"),
    "stages": ("FROM ctfy/busybox AS build\nRUN echo made > /made\nFROM ctfy/busybox as test\nRUN echo no > /no\n"
               "FROM ctfy/busybox\nCOPY --from=build /made /a\nCOPY --from=0 /made /b\n" + STAY,
               "cat /a /b; ls /no 2>/dev/null", "made\nmade"),
    "owners": ("FROM debian:bookworm-slim\nCOPY --chown=nobody:nogroup data /srv/\nCOPY --chown=7:8 data /n\n" + STAY,
               "stat -c %U:%G /srv/data; stat -c %u:%g /n", "nobody:nogroup\n7:8"),
    "where": ("FROM ctfy/busybox\nWORKDIR /srv\nWORKDIR app\nCOPY data ./\nUSER 1000:1000\n" + STAY,
              "pwd; id -u; ls", "/srv/app\n1000\ndata"),
    "entry": ("FROM ctfy/busybox\nENTRYPOINT [\"sleep\"]\nCMD [\"600\"]\n", "cat /proc/1/cmdline | tr '\\0' ' '", "sleep 600 "),
    "shell_form": ("FROM ctfy/busybox\nENV T=600\nENTRYPOINT exec sleep $T\n", "tr '\\0' ' ' < /proc/1/cmdline", "sleep 600 "),
    "unpacked": ("FROM ctfy/busybox\nADD packed.tar.gz /opt/\nCOPY packed.tar.gz /kept\n" + STAY,
                 "cat /opt/inside; test -s /kept && echo +", "packed+"),
    "continued": ("FROM ctfy/busybox\nRUN echo a > /a && \\\n    # a comment\n\n    echo b \\\n > /b\n" + STAY, "cat /a /b", "a\nb"),
    "backtick": ("# escape=`\nFROM ctfy/busybox\nRUN echo 'c:\\d' `\n > /a\n" + STAY, "cat /a", "c:\\d"),
    "global_arg": ("ARG BASE=nowhere\nARG TAG=\"latest\"\nFROM ${BASE}:${TAG}\nARG TAG\nRUN echo $TAG > /a\n" + STAY, "cat /a", "latest"),
    "shell": ("FROM ctfy/busybox\nSHELL [\"/bin/sh\", \"-euc\"]\nRUN echo \"$-\" > /a\n" + STAY,
              "grep -c e /a; grep -c u /a", "1\n1"),
    "patterns": ("FROM ctfy/busybox\nCOPY *.tx? sub/[ab] /all/\n" + STAY, "ls /all", "a\none.txt\ntwo.txt"),
    "spaces": ("FROM ctfy/busybox\nCOPY [\"a name\", \"/srv/\"]\nCOPY --chown=1:1 [\"sub/a\", \"/a b/\"]\n" + STAY,
               "cat '/srv/a name'; ls '/a b'", "spacea"),
    "crlf": ("FROM ctfy/busybox\r\nRUN echo a \\\r\n > /a\r\nCMD [\"sleep\", \"600\"]\r\n", "cat /a", "a"),
    "bom": ("\ufeffFROM ctfy/busybox\nRUN echo a > /a\n" + STAY, "cat /a", "a"),
    "lower": ("from ctfy/busybox\nrun echo a > /a\ncmd [\"sleep\", \"600\"]\n", "cat /a", "a"),
    "settings": ("FROM ctfy/busybox\nLABEL a=b \"c d\"='e f'\nEXPOSE 80 90/udp\nVOLUME /data\nSTOPSIGNAL SIGKILL\n"
                 "HEALTHCHECK --interval=1h CMD true\nENV A=1 B=\"2 3\"\nENV OLD form of it\n" + STAY,
                 "echo $A $B $OLD; test -d /data && echo +", "1 2 3 form of it\n+"),
    "links": ("FROM ctfy/busybox\nCOPY links /links\n" + STAY,
              "cd /links; for l in up dangling dir; do readlink $l; done; cat inner", "../../../etc/passwd\n/nowhere\ninside\nin"),
    "ignored": ("FROM ctfy/busybox\nCOPY . /all\n" + STAY,
                "cd /all/tree; find . -type f | sort", "./a/keep.md\n./deep/x/y/z.keep\n./src/b.py"),
    "shellwords": ("FROM ctfy/busybox\nRUN x=1; [ $((x<<2)) = 4 ] && echo \"not <<EOF\" > /a\nEXPOSE 80\n" + STAY,
                   "cat /a", "not <<EOF"),
}

IGNORE = """\
# what is left out of every build of the folder
tree/**/*.pyc
  tree/a/*
!tree/a/keep.md
tree/deep
!tree/deep/**/*.keep
/tree/./log//
tree/[s]rc/?.c
tree/back\\[1\\]

**/secret*
docker/
"""

FILES = {
    "data": "data\n", "one.txt": "1", "two.txt": "2", "a name": "space", "sub/a": "a", "sub/c": "c",
    ".dockerignore": IGNORE,
    "tree/a/keep.md": "", "tree/a/lost.md": "", "tree/deep/x/y/z.keep": "", "tree/deep/lost": "", "tree/log/l": "",
    "tree/src/b.py": "", "tree/src/b.pyc": "", "tree/src/b.c": "", "tree/secret.key": "", "tree/back[1]": "",
    "links/inside/file": "in",
}

# More ways to say what is built, as services of a compose file; {service: what it prints}.
FORMS = """\
  target:
    build: {context: ., dockerfile: docker/Stages, target: first}
  inner_dockerfile:
    build: {context: ., dockerfile: ./docker/Stages}
  outer_dockerfile:
    build: {context: sub, dockerfile: ../docker/Outer}
  inline:
    build:
      context: sub
      dockerfile_inline: |
        FROM ctfy/busybox
        COPY a /a
        RUN ls / | grep -i docker > /seen || true
        CMD ["sleep", "600"]
"""
FORMS_PRINT = {
    "target": ("cat /stage", "first"), "inner_dockerfile": ("cat /stage", "second"),
    "outer_dockerfile": ("cat /c", "c"), "inline": ("cat /a /seen", "a"),
}
FORMS_FILES = {
    "docker/Stages": "FROM ctfy/busybox AS first\nRUN echo first > /stage\n" + STAY +
                     "FROM first\nRUN echo second > /stage\n" + STAY,
    "docker/Outer": "FROM ctfy/busybox\nCOPY c /c\n" + STAY,
}


def setUpModule():
    global node, challenges
    node = images.empty_node()
    challenges = Challenges(node)


class Dockerfiles(ImageTest):
    def compose(self):
        services = "".join(
            f"  {name}:\n    build: {{context: ., dockerfile: 'df.{name}', args: {{FLAG: 'flag{{it}}', BASE: ctfy/busybox}}}}\n"
            for name in DOCKERFILES)
        return "services:\n" + services + FORMS

    def write(self):
        challenge = images.new_name("dockerfiles")
        folder = Path(challenges.write(challenge, {
            "compose.yml": self.compose(), **FILES, **FORMS_FILES,
            **{f"df.{name}": row[0] for name, row in DOCKERFILES.items() if name != "crlf"}}))
        (folder / "df.crlf").write_bytes(DOCKERFILES["crlf"][0].encode())
        (folder / "packed.tar.gz").write_bytes(archive())
        for name, target in (("up", "../../../etc/passwd"), ("dangling", "/nowhere"), ("dir", "inside"),
                             ("inner", "inside/file")):
            (folder / "links" / name).symlink_to(target)
        os.mkfifo(folder / "links/pipe")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(folder / "links/socket"))
        challenges.rescan()
        return challenge

    def test_each_builds_and_holds_what_it_should(self):
        _, spec = node.begin(self.write())
        containers = {c["Config"]["Labels"][harness.LABEL_SERVICE]: c["Id"]
                      for c in map(engine.inspect, node.made(spec["instance_id"])["container"])}
        wanted = {**{name: row[1:] for name, row in DOCKERFILES.items()}, **FORMS_PRINT}
        self.assertEqual(set(containers), set(wanted))
        for name, (command, printed) in wanted.items():
            with self.subTest(name):
                _, said = engine.exec(containers[name], ["sh", "-c", command])
                self.assertEqual(said.rstrip("\n"), printed.rstrip("\n"))
        self.assertStatus(node.stop(spec["instance_id"]), 204)


# name: Dockerfile that only BuildKit builds. What this engine's is too old for it must say so.
BUILDKIT = {
    "chmod": "FROM ctfy/busybox\nCOPY --chmod=750 data /a\nRUN test $(stat -c %a /a) = 750\n",
    "cache": "FROM ctfy/busybox\nRUN --mount=type=cache,target=/c echo 1 > /c/x && test -s /c/x\nRUN test ! -e /c/x\n",
    "bind": "FROM ctfy/busybox AS one\nRUN echo 1 > /one\nFROM ctfy/busybox\n"
            "RUN --mount=from=one,target=/m --mount=type=tmpfs,target=/t test -s /m/one\n",
    "network": "FROM ctfy/busybox\nRUN --network=none true\n",
    "platform": "FROM --platform=$BUILDPLATFORM ctfy/busybox\nARG TARGETARCH\nRUN test -n \"$TARGETARCH\"\n",
    "syntax": "# syntax=docker/dockerfile:1\nFROM ctfy/busybox\nCOPY --chmod=640 data /a\n",
    "old_syntax": "# syntax=docker/dockerfile:1.4\nFROM ctfy/busybox\nRUN test -x /bin/sh\n",
    "link": "FROM ctfy/busybox\nCOPY --link data /a\n",
    "heredoc": "FROM ctfy/busybox\nRUN <<EOF\necho a > /a\nEOF\nCOPY <<'END' /b\n$x\nEND\nRUN test -s /a -a -s /b\n",
    "parents": "FROM ctfy/busybox\nCOPY --parents sub/a /all/\n",
    "exclude": "FROM ctfy/busybox\nCOPY --exclude=c sub /all/\n",
}
TOO_OLD = "needs a newer BuildKit than this engine has"
ALWAYS = {"chmod", "cache", "bind", "platform", "syntax", "old_syntax"}


class BuildKit(ImageTest):
    def test_what_it_knows_is_built_and_the_rest_is_refused_in_clear_words(self):
        made = {name: challenges.built(name.replace("_", "-"), dockerfile, **{"data": "x", "sub/a": "a", "sub/c": "c"})
                for name, dockerfile in BUILDKIT.items()}
        challenges.rescan()
        for challenge in made.values():
            self.begin(BUILD, node, challenge)
        for name, challenge in made.items():
            with self.subTest(name):
                row = BUILD.ended(node, challenge)
                if row["status"] != "built":
                    self.assertIn(TOO_OLD, row["error"])
                    self.assertNotIn(name, ALWAYS)

    def test_an_engine_without_it_is_told_of(self):
        directory = tempfile.mkdtemp(prefix="ctfy-build-test-")
        self.addCleanup(shutil.rmtree, directory)
        proxy = harness.EngineProxy(directory)
        self.addCleanup(proxy.close)
        proxy.refuse(r"POST /[^ ]*build\?.*version=2", 400, "buildkit not supported by daemon", times=99)
        other = images.empty_node(engine_url=proxy.url)
        theirs = Challenges(other)
        modern = theirs.built("modern", BUILDKIT["chmod"], data="x")
        plain = theirs.built("plain", "FROM ctfy/busybox\nCOPY data /a\n", data="x")
        theirs.rescan()
        for challenge in (modern, plain):
            self.begin(BUILD, other, challenge)
        self.assertFailed(BUILD, other, modern, "buildkit not supported by daemon (the Dockerfile needs BuildKit, "
                          "which this engine does not offer)")
        self.assertDone(BUILD, other, plain)


if __name__ == "__main__":
    images.main()

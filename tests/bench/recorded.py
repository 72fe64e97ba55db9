#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Long bodies through the agents' proxy, beside the same without: recorded.py BUILD-DIR [ROUNDS].

One client (curl), one server, 100 MB, there and back, in turns; the ratio is the median of each
turn's. One turn warms up. What players' recorder costs is relay.py's.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
BUILD = Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parents[1] / "build").absolute()
os.environ["CTFY"] = str(BUILD / "ctfy")
sys.path.insert(0, str(HERE.parent / "evidence"))
sys.dont_write_bytecode = True

from agent import ready_runtime  # noqa: E402
from evidence import begin_first, new_node  # noqa: E402

ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 9
SIZE = 100 << 20


def transfer(*args):
    told = subprocess.run(["curl", "-sSk", "--http1.1", "--noproxy", "", "-o", "/dev/null", "--fail", "-w", "%{time_total}", *args],
                          check=True, capture_output=True, text=True).stdout
    return float(told)


def ways(node, row, body):
    """What is done, how directly, and how recorded."""
    upload = ("-X", "POST", "-T", body)
    web = next(iter(node.containers(row["instance_id"])["web"]["NetworkSettings"]["Networks"].values()))["IPAddress"]
    proxy = ("--proxy", ready_runtime(node, row["instance_id"])["proxy_url"])
    for name, more, path in (("down", (), f"/long?{SIZE}"), ("up", upload, "/echo")):
        for scheme, port in (("http", 8080), ("https", 8443)):
            direct = (*more, f"{scheme}://{web}:{port}{path}")
            yield f"agent, {scheme.upper()}, {name}", direct, (*proxy, *direct)


def compare(name, direct, recorded):
    times = [(transfer(*direct), transfer(*recorded)) for _ in range(ROUNDS + 1)][1:]
    print(f"{name:20} direct {statistics.median(d for d, _ in times):.3f} s, "
          f"recorded {statistics.median(r for _, r in times):.3f} s, "
          f"ratio {statistics.median(r / d for d, r in times):.2f}", flush=True)


def main():
    node = new_node()
    try:
        row, _ = begin_first(node, "recorded")
        with tempfile.NamedTemporaryFile() as body:
            body.write(os.urandom(SIZE))
            body.flush()
            for way in ways(node, row, body.name):
                compare(*way)
    finally:
        node.close()


main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Counts what meson's test logs tell: summary.py TESTLOG.JSON...

Ends with one line, "N passed, M failed", followed by ", K skipped" where tests were skipped. Fails
if a test failed, if a log is missing, or, with CI set, if a test was skipped for want of a part.
"""

import json
import os
import sys
from collections import Counter

PASSED = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP"}
MAY_SKIP = "ctfy:corpus / "  # no part of the project


def read_log(path):
    """Yields (name, verdict) of each test; a log that is not there is a suite that did not run."""
    try:
        with open(path, encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
    except OSError as error:
        yield f"{path}: {error.strerror}", "failed"
        return
    for row in rows:
        result = row["result"]
        yield row["name"], ("passed" if result in PASSED else
                            "skipped" if result in SKIPPED else "failed")


def main(paths):
    count = Counter()
    for path in paths:
        for name, verdict in read_log(path):
            if verdict == "skipped" and os.environ.get("CI") and not name.startswith(MAY_SKIP):
                print(f"skipped, which is a failure in CI: {name}")
                verdict = "failed"
            elif verdict != "passed":
                print(f"{verdict}: {name}")
            count[verdict] += 1
    skipped = f", {count['skipped']} skipped" if count["skipped"] else ""
    print(f"{count['passed']} passed, {count['failed']} failed{skipped}")
    return 1 if count["failed"] or not count["passed"] else 0


sys.exit(main(sys.argv[1:]))

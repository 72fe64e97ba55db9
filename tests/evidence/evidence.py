"""What the tests of evidence stand on: the node's harness, with challenges of their own."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../node"))

import harness # noqa: E402

CHALLENGES = os.path.join(HERE, "challenges")


def new_node(**options):
    return harness.Node(challenges=CHALLENGES, **options)

# SPDX-License-Identifier: Apache-2.0
"""What the tests of evidence stand on: the node's harness, with challenges of their own."""

import json
import os
import sys

import jsonschema

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../node"))

import harness # noqa: E402

CHALLENGES = os.path.join(HERE, "challenges")


def new_node(**options):
    return harness.Node(challenges=CHALLENGES, **options)


def begin_first(node, challenge):
    """As node.begin(), with the patience that the first build of ctfy's own images takes."""
    spec = node.spec(challenge)
    reply = node.post(spec, timeout=500)
    if reply.status != 201:
        raise AssertionError(f"starting '{challenge}' gave {reply}")
    return reply.json, spec


def check_har(har):
    """It is HTTP Archive 1.2, by a schema of that specification."""
    with open(os.path.join(HERE, "har-1.2.schema.json")) as file:
        jsonschema.Draft7Validator(json.load(file)).validate(har)

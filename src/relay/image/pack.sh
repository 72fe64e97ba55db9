#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Puts a program without its symbols beside its Dockerfile: pack.sh PROGRAM DOCKERFILE DIR.
set -euo pipefail

strip -o "$3/ctfy-relay" "$1"
install -m 644 "$2" "$3/Dockerfile"

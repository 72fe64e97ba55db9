#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every source says its licence.
exec "$(dirname "$0")/../../tools/spdx.sh" --check

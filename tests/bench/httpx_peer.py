# SPDX-License-Identifier: Apache-2.0
"""What a call costs with httpx: httpx_peer.py URL TOKEN CALLS, as bench-client prints it."""

import statistics
import sys
import time

import httpx

TURN = 250

url, token, calls = sys.argv[1:]
wall, cpu = [], []
with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:
    for _ in range(max(1, int(calls) // TURN)):
        began, used = time.perf_counter(), time.process_time()
        for _ in range(TURN):
            reply = client.get("/api/v1/health")
            reply.raise_for_status()
            assert reply.json()["capacity"] > 0
        wall.append((time.perf_counter() - began) / TURN * 1e6)
        cpu.append((time.process_time() - used) / TURN * 1e6)
print(f"httpx {statistics.median(wall):.2f} {statistics.median(cpu):.2f}")

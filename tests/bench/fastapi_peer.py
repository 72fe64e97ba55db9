# SPDX-License-Identifier: Apache-2.0
"""GET /api/v1/health of a node, as FastAPI has it: for a fair comparison it checks the token in
constant time, has async handlers, and runs on uvloop and httptools."""

import os
import secrets

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

TOKEN = os.environ["TOKEN"]

app = FastAPI()
bearer = HTTPBearer(auto_error=False)


class NodeHealth(BaseModel):
    status: str
    running: int
    capacity: int
    version: str
    engine: str


async def authorize(sent: HTTPAuthorizationCredentials = Depends(bearer)):
    if not sent or not secrets.compare_digest(sent.credentials, TOKEN):
        raise HTTPException(401, "bad token", {"WWW-Authenticate": "Bearer"})


@app.get("/api/v1/health", response_model=NodeHealth, dependencies=[Depends(authorize)])
async def node_health():
    return {"status": "ok", "running": 0, "capacity": 100, "version": "0.1.0", "engine": "none"}

# SPDX-License-Identifier: Apache-2.0
"""A node as the first ones were: FastAPI, its own shapes of errors, and nothing but fixed facts.

It tells the contract's success shapes for the instance "team-7" of the challenge "web-login", and
FastAPI's errors for whoever asks otherwise:

    unknown ids             404, detail a string
    challenge "down"        502, detail a string that is the engine's
    instance "dict"         409, detail an object
    instance "list"         400, detail a list
    instance "html"         502, a page
    instance "boom"         500, "Internal Server Error" as plain text: an exception nobody caught
    a body that won't do    422, detail a list made by pydantic
"""

import hashlib
import json
from typing import Optional

from fastapi import APIRouter, Body, Depends, FastAPI, Header, HTTPException, Path, Response, WebSocket
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

TOKEN = "example-token"
PCAP = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")
EVIDENCE = bytes.fromhex("28b52ffd") + bytes(124)
ATTACHMENT = b"\x7fELF" + bytes(60)
OVPN = b"client\r\ndev tun\nremote 203.0.113.7 1194 udp\n"
LOGS = "app | listening on :8080\ndb  | ready\u2026\n"

ENDPOINT = {
    "service": "app",
    "container_port": 8080,
    "protocol": "tcp",
    "host": "203.0.113.7",
    "port": 32768,
    "url": "http://203.0.113.7:32768",
}
SERVICES = [
    {"service": "app", "state": "running", "health": "healthy", "exit_code": 0, "oom_killed": False},
    {"service": "db", "state": "running", "health": "none", "exit_code": 0, "oom_killed": False},
]


def instance_row(status="running", expires_at="2026-11-23T10:00:00Z"):
    return {
        "instance_id": "team-7",
        "challenge_id": "web-login",
        "status": status,
        "detail": None,
        "endpoints": [ENDPOINT],
        "services": SERVICES,
        "started_at": "2026-11-23T09:00:00Z",
        "expires_at": expires_at,
    }


def authorize(authorization: Optional[str] = Header(None)):
    if authorization != f"Bearer {TOKEN}":
        raise HTTPException(
            401, "invalid or missing bearer token", headers={"WWW-Authenticate": "Bearer"}
        )


def known_instance(instance_id: str = Path(...)):
    if instance_id == "dict":
        raise HTTPException(409, {"code": "busy", "ratio": 0.1, "who": ["Jos\u00e9", None]})
    if instance_id == "list":
        raise HTTPException(400, ["first", {"second": 2}])
    if instance_id == "boom":
        raise RuntimeError("nobody catches this")
    if instance_id != "team-7":
        raise HTTPException(404, f"instance '{instance_id}' not found")


def known_challenge(challenge_id):
    if challenge_id == "down":
        raise HTTPException(502, "pull access denied for registry.example/down")
    if challenge_id not in ("web-login", "pwn-me"):
        raise HTTPException(404, f"challenge '{challenge_id}' not found")


class Start(BaseModel):
    challenge_id: str
    instance_id: str
    ttl: int = Field(gt=0)
    answers: dict[str, str]
    proxy_output_dir: Optional[str] = None


class Ttl(BaseModel):
    ttl: int = Field(gt=0)


class Scope(BaseModel):
    challenge_ids: Optional[list[str]] = None


node = APIRouter(prefix="/api/v1", dependencies=[Depends(authorize)])
one = APIRouter(prefix="/instances/{instance_id}", dependencies=[Depends(known_instance)])


@node.get("/health")
def health():
    return {"status": "ok", "running": 3, "capacity": 20, "version": "0.1.0",
            "engine": "docker 20.10.24"}


@node.post("/instances", status_code=201)
def start(body: Start, response: Response, prefer: Optional[str] = Header(None)):
    known_challenge(body.challenge_id)
    if prefer == "respond-async":
        response.status_code = 202
        return instance_row("starting")
    return instance_row()


@one.patch("")
def set_ttl(body: Ttl):
    assert body.ttl == 7200
    return instance_row(expires_at="2026-11-23T11:30:00Z")


@one.delete("", status_code=204)
def stop():
    return Response(status_code=204)


@one.get("/status")
def status():
    return instance_row()


@one.get("/health")
def instance_health():
    return {"is_healthy": True, "services": SERVICES}


@one.get("/traffic")
def traffic(since: Optional[str] = None, limit: Optional[int] = None, format: str = "flows"):
    if format == "har":
        return {"log": {"version": "1.2", "entries": []}}
    flows = [{"id": "f1", "request": {"method": "GET", "url": "http://app:8080/"}},
             {"id": "f2", "request": {"method": "POST", "url": "http://app:8080/login"}}]
    flows = [f for f in flows if since is None or f["id"] > since][:limit]
    return {"instance_id": "team-7", "flows": flows, "next": flows[-1]["id"] if flows else since}


@one.get("/containers")
def containers():
    return [
        {"container_id": "4f1d2c", "name": "ctfy-team-7-app-1", "service": "app", "role": "service",
         "image": "web-login-app", "state": "running", "health": "healthy",
         "created_at": "2026-11-23T08:59:59Z"},
        {"container_id": "9a0b3e", "name": "ctfy-team-7-proxy", "service": "proxy",
         "role": "sidecar", "image": "ctfy/mitmproxy", "state": "running", "health": "none",
         "created_at": "2026-11-23T08:59:58Z"},
    ]


@one.get("/timeline")
def timeline():
    return {"events": [
        {"at": "2026-11-23T09:00:00Z", "event": "starting", "service": None, "detail": None},
        {"at": "2026-11-23T09:00:04.500Z", "event": "die", "service": "app", "detail": "exited with 137"},
    ]}


@one.get("/container-logs")
def logs(tail: Optional[int] = None, service: Optional[str] = None):
    lines = [l for l in LOGS.splitlines(True) if service is None or l.startswith(service)]
    return {"logs": "".join(lines[-tail:] if tail else lines)}


class Agent(BaseModel):
    image: str
    command: list[str]
    env: dict[str, str]


@one.post("/agent-runs")
def agent_runs(agent: Agent):
    said = " ".join([agent.image, *agent.command, *(f"{k}={v}" for k, v in agent.env.items())])
    lines = [{"run_id": "r1", "started_at": "2026-11-23T09:00:00Z"}, {"stream": "stdout", "text": said},
             {"exit_code": 0, "oom_killed": False, "duration_ms": 5}]
    return Response("".join(json.dumps(line) + "\n" for line in lines), media_type="application/x-ndjson")


@one.get("/evidence")
def evidence():
    return Response(EVIDENCE, media_type="application/zstd")


@one.get("/pcap")
def pcap():
    return Response(PCAP, media_type="application/vnd.tcpdump.pcap")


@one.get("/agent-runtime")
def agent_runtime():
    return {
        "provider": "docker",
        "proxy_url": "http://203.0.113.7:18080",
        "ca_pem": "-----BEGIN CERTIFICATE-----\n",
        "env": {"HTTP_PROXY": "http://203.0.113.7:18080", "NO_PROXY": ""},
        "endpoints": [ENDPOINT],
        "docker": {"network": "ctfy-team-7", "containers": ["4f1d2c"]},
    }


@one.get("/attachments")
def attachments():
    return {"attachments": [{"filename": "login.elf", "size": len(ATTACHMENT),
                             "content_type": "application/x-elf",
                             "sha256": hashlib.sha256(ATTACHMENT).hexdigest()}]}


@one.get("/attachments/{filename}")
def attachment(filename: str):
    if filename != "login.elf":
        raise HTTPException(404, f"no attachment '{filename}'")
    return Response(ATTACHMENT, media_type="application/x-elf")


@one.get("/openvpn-config")
def openvpn_config():
    return Response(OVPN, media_type="application/x-openvpn-profile")


@node.post("/admin/stop-all")
def stop_all():
    return {"stopped": ["team-7"], "failed": [{"instance_id": "team-9", "detail": "engine gone"}]}


@node.post("/admin/rescan-challenges")
def rescan():
    return {"total": 2, "added": ["pwn-me"], "removed": ["old"],
            "errors": [{"path": "broken/challenge.yml", "detail": "line 3: 'name' is missing"}]}


LINT = {"path": "web-login", "id": "web-login", "dialect": "ctfcli", "outcome": "policy", "problems": [
    {"kind": "policy", "file": "web-login/compose.yml", "line": 4, "column": 17, "key": "services.app.privileged",
     "message": "a privileged service has all rights over the host", "opt_in": "privileged",
     "allows": "run a service with all rights over the host"}]}


@node.get("/admin/challenges/lint")
def lint_all():
    broken = {"path": "broken", "id": None, "dialect": None, "outcome": "faulty", "problems": [
        {"kind": "error", "file": "broken/challenge.yml", "line": 3, "column": 1, "key": None,
         "message": "'name' is missing", "opt_in": None, "allows": None}]}
    return {"challenges": [broken, LINT]}


@node.get("/admin/challenges/{challenge_id}/lint")
def lint(challenge_id: str):
    known_challenge(challenge_id)
    return LINT


def trial(outcome, **more):
    return {"challenge_id": "web-login", "outcome": outcome, "step": None, "detail": None, "answers": [],
            "steps": [{"step": "start", "ms": 1200}], "output": None, "started_at": "2026-11-23T09:00:00Z",
            "ended_at": None, **more}


@node.post("/admin/challenges/{challenge_id}/trial", status_code=202)
def start_trial(challenge_id: str):
    known_challenge(challenge_id)
    return trial("running", step="start", detail="images")


@node.get("/admin/challenges/{challenge_id}/trial")
def get_trial(challenge_id: str):
    known_challenge(challenge_id)
    return trial("solved", answers=[{"question": "flag", "found": True}], output="flag{x}\n",
                 ended_at="2026-11-23T09:00:05Z")


def add_images(word, doing, done, at):
    @node.post(f"/admin/challenges/{word}-all")
    def all_(scope: Optional[Scope] = Body(None)):
        ids = ["web-login", "pwn-me"] if scope is None or scope.challenge_ids is None \
            else scope.challenge_ids
        for challenge_id in ids:
            known_challenge(challenge_id)
        return {"queued": [i for i in ids if i == "pwn-me"],
                f"skipped_{done}": [i for i in ids if i != "pwn-me"], "skipped_in_progress": []}

    @node.get(f"/admin/challenges/{word}-state")
    def state():
        return {"rows": [
            {"challenge_id": "web-login", "status": done, at: "2026-11-23T08:00:00Z",
             "error": None},
            {"challenge_id": "pwn-me", "status": "failed", at: None,
             "error": "step 3/7: make: *** [all] Error 2"},
        ]}

    @node.post(f"/admin/challenges/{{challenge_id}}/{word}", status_code=202)
    def one_(challenge_id: str):
        known_challenge(challenge_id)
        return {"challenge_id": challenge_id, "status": doing, at: None, "error": None}


add_images("build", "building", "built", "built_at")
add_images("pull", "pulling", "pulled", "pulled_at")


@node.get("/instances/html/status")
def html():
    return HTMLResponse("\n<html><h1>502 Bad Gateway</h1></html>\n", 502)


node.include_router(one)
app = FastAPI()
app.include_router(node)


@app.websocket("/api/v1/instances/team-7/containers/app/shell")
async def shell(socket: WebSocket, cols: int, rows: int):
    """Says its size at first and when it changes, and what is typed; "exit" ends it."""
    if socket.headers.get("authorization") != f"Bearer {TOKEN}":
        return await socket.close()
    await socket.accept()
    await socket.send_bytes(b"%dx%d$ " % (cols, rows))
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if message.get("text"):
            size = json.loads(message["text"])
            await socket.send_bytes(b"%dx%d$ " % (size["cols"], size["rows"]))
        else:
            await socket.send_bytes(message["bytes"])
        if message.get("bytes") == b"exit\n":
            await socket.send_text(json.dumps({"type": "exit", "code": 7}))
            return await socket.close(1000)

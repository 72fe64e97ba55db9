# SPDX-License-Identifier: Apache-2.0
"""An agent: a container of somebody else's, attached to an instance as /agent-runtime says."""

import io
import tarfile

from evidence import harness
from harness import engine, wait_for


def ready_runtime(node, instance_id):
    """What the node tells, once the recorder has its keys."""
    def told():
        reply = node.call("GET", f"/instances/{instance_id}/agent-runtime")
        return reply.status == 200 and reply
    return wait_for(told, 60, "the recorder's keys").json


class Agent:
    """Only does what it was told by the node."""

    def __init__(self, told, labels=None):
        made = engine.json("POST", f"/containers/create?name={harness.new_id('agent')}", {
            "Image": "ctfy/recorder", "Entrypoint": ["sleep", "600"],
            "Env": [f"{name}={value}" for name, value in told["env"].items()],
            "Labels": labels or {},
            "HostConfig": {"Init": True, "NetworkMode": told["docker"]["network"]}})
        self.id = made["Id"]
        if told["ca_pem"]:
            self.put(told["docker"]["ca_path"], told["ca_pem"].encode())
        engine.json("POST", f"/containers/{self.id}/start")

    def put(self, path, data):
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as archive:
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        conn = harness.UnixConnection(engine.socket, 30)
        conn.request("PUT", f"/containers/{self.id}/archive?path=/", tar.getvalue(), {"Content-Type": "application/x-tar"})
        assert conn.getresponse().status == 200
        conn.close()

    def fetch(self, url):
        code = ("import ssl, sys, urllib.request\n"
                "context = ssl.create_default_context()\n"
                "print(urllib.request.urlopen(sys.argv[1], timeout=10, context=context).read().decode(), end='')")
        return engine.exec(self.id, ["python3", "-c", code, url])

    def close(self):
        engine.call("DELETE", f"/containers/{self.id}?force=1")

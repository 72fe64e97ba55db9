# SPDX-License-Identifier: Apache-2.0
"""The least that starting an instance can cost: its engine calls and nothing else."""

import http.client
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

ENGINE = "/var/run/docker.sock"

_local = threading.local()


class UnixConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(ENGINE)


def call(method, path, body=None):
    """The engine's answer, over a connection that this thread keeps."""
    if not hasattr(_local, "connection"):
        _local.connection = UnixConnection("engine")
    _local.connection.request(method, "/v1.41" + path, None if body is None else json.dumps(body),
                              {"Content-Type": "application/json"})
    answer = _local.connection.getresponse()
    data = answer.read()
    if answer.status >= 400:
        raise RuntimeError(f"{method} {path}: {answer.status} {data.decode()}")
    return json.loads(data) if data else None


def find(kind, label):
    filters = json.dumps({"label": [label]})
    return call("GET", f"/{kind}?filters={filters.replace(' ', '')}&all=1")


class Floor:
    """Makes again, by hand, what an instance consists of: the same networks and containers, with the
    same settings. Learn it from a running instance; bring it up when that one has gone."""

    def __init__(self, label, order):
        """order: lists of services; a list is started when the one before it has been."""
        self.order = order
        self.networks = [self._network(row["Id"]) for row in find("networks", label)]
        self.services = dict(self._service(row["Id"]) for row in find("containers/json", label))
        self.pool = ThreadPoolExecutor(8)
        self.made = []

    @staticmethod
    def _network(network_id):
        seen = call("GET", f"/networks/{network_id}")
        return {"Name": seen["Name"], "CheckDuplicate": True, "Driver": seen["Driver"],
                "Internal": seen["Internal"], "IPAM": seen["IPAM"], "Options": seen["Options"]}

    @staticmethod
    def _service(container_id):
        seen = call("GET", f"/containers/{container_id}/json")
        labels = seen["Config"].pop("Labels")
        service = labels["com.docker.compose.service"]
        endpoints = {name: {"Aliases": [service]} for name in seen["NetworkSettings"]["Networks"]}
        return service, {**seen["Config"], "HostConfig": seen["HostConfig"],
                         "NetworkingConfig": {"EndpointsConfig": endpoints}}

    def _create(self, service):
        return call("POST", f"/containers/create?name=bench-floor-{service}", self.services[service])["Id"]

    def up(self):
        networks = self.pool.map(lambda body: call("POST", "/networks/create", body)["Id"], self.networks)
        self.made = [f"/networks/{made}" for made in networks]
        containers = dict(zip(self.services, self.pool.map(self._create, self.services)))
        self.made = [f"/containers/{made}?force=1&v=1" for made in containers.values()] + self.made
        for services in self.order:
            list(self.pool.map(lambda name: call("POST", f"/containers/{containers[name]}/start"), services))

    def down(self):
        for path in self.made:
            call("DELETE", path)
        self.made = []

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every key of the Compose specification has an effect on the plan, or a line that names it.

Nothing an author wrote may be dropped without a word: for each key, a compose file with it is planned
(all opt-ins given) and compared with the plan of the same file without it.
"""

import functools
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

CTFY = os.environ["CTFY"]

# In a service beside what BASE has; "key.below: value" nests.
SERVICE = """
annotations: {a: b}
attach: false
blkio_config: {weight: 300}
blkio_config: {weight_device: [{path: /dev/sda, weight: 400}]}
blkio_config: {device_read_bps: [{path: /dev/sda, rate: 12mb}]}
blkio_config: {device_read_iops: [{path: /dev/sda, rate: 120}]}
blkio_config: {device_write_bps: [{path: /dev/sda, rate: 1024k}]}
blkio_config: {device_write_iops: [{path: /dev/sda, rate: 30}]}
build: {context: b, additional_contexts: {x: ./b}}
build: {context: b, args: {A: b}}
build: {context: b, cache_from: [x]}
build: {context: b, cache_to: [x]}
build: {context: b, dockerfile: Other}
build: {context: b, dockerfile_inline: FROM y}
build: {context: b, entitlements: [security.insecure]}
build: {context: b, extra_hosts: [a:1.2.3.4]}
build: {context: b, isolation: hyperv}
build: {context: b, labels: {a: b}}
build: {context: b, network: none}
build: {context: b, no_cache: true}
build: {context: b, platforms: [linux/amd64]}
build: {context: b, privileged: true}
build: {context: b, provenance: true}
build: {context: b, pull: true}
build: {context: b, sbom: true}
build: {context: b, secrets: [s]}
build: {context: b, shm_size: 1m}
build: {context: b, ssh: [default]}
build: {context: b, tags: [x]}
build: {context: b, target: one}
build: {context: b, ulimits: {nofile: 5}}
cap_add: [MKNOD]
cap_drop: [CHOWN]
cgroup: host
cgroup_parent: x
command: x
configs: [c]
configs: [{source: c, target: /x, uid: "3", gid: "4", mode: 0440}]
container_name: other
cpu_count: 2
cpu_percent: 50
cpu_period: 100000
cpu_quota: 50000
cpu_rt_period: 1000000
cpu_rt_runtime: 95000
cpu_shares: 12
cpus: 0.5
cpuset: "0"
credential_spec: {file: x}
depends_on: [peer]
depends_on: {peer: {condition: service_healthy}}
depends_on: {peer: {condition: service_healthy, required: false}}
depends_on: {peer: {condition: service_started, restart: true}}
deploy: {endpoint_mode: vip}
deploy: {labels: {a: b}}
deploy: {mode: global}
deploy: {placement: {constraints: [x]}}
deploy: {replicas: 2}
deploy: {resources: {limits: {cpus: "0.5"}}}
deploy: {resources: {limits: {memory: 64m}}}
deploy: {resources: {limits: {pids: 5}}}
deploy: {resources: {reservations: {cpus: "0.1"}}}
deploy: {resources: {reservations: {memory: 5m}}}
deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: 1}]}}}
deploy: {resources: {reservations: {generic_resources: [{discrete_resource_spec: {kind: a, value: 1}}]}}}
deploy: {restart_policy: {condition: on-failure}}
deploy: {restart_policy: {condition: on-failure, max_attempts: 4}}
deploy: {restart_policy: {delay: 5s}}
deploy: {restart_policy: {window: 5s}}
deploy: {rollback_config: {parallelism: 2}}
deploy: {update_config: {parallelism: 2}}
develop: {watch: [{path: ., action: sync, target: /x}]}
device_cgroup_rules: ["c 1:3 mr"]
devices: [/dev/null]
devices: [{source: /dev/null, target: /dev/x, permissions: r}]
dns: 1.2.3.4
dns_opt: [use-vc]
dns_search: a.b
domainname: x
entrypoint: x
env_file: one.env
env_file: [{path: one.env, required: true, format: raw}]
environment: {A: b}
expose: [99]
extends: {service: peer}
extends: {file: other.yml, service: base}
external_links: [x]
extra_hosts: [a:1.2.3.4]
gpus: all
gpus: [{driver: x, count: 2}]
group_add: [7]
healthcheck: {test: x}
healthcheck: {test: x, interval: 5s}
healthcheck: {test: x, timeout: 5s}
healthcheck: {test: x, retries: 5}
healthcheck: {test: x, start_period: 5s}
healthcheck: {test: x, start_interval: 5s}
healthcheck: {disable: true}
hostname: x
image: other
init: true
ipc: shareable
isolation: default
label_file: one.env
labels: {a: b}
links: [peer:other]
logging: {driver: syslog}
logging: {options: {max-size: 1m}}
mac_address: 02:42:ac:11:65:43
mem_limit: 64m
mem_reservation: 32m
mem_swappiness: 3
memswap_limit: 1g
models: [m]
models: {m: {endpoint_var: X}}
network_mode: none
networks: [n]
networks: {n: {aliases: [x]}}
networks: {n: {ipv4_address: 10.9.0.5}}
networks: {n: {ipv6_address: "fd00::5"}}
networks: {n: {link_local_ips: [169.254.1.1]}}
networks: {n: {mac_address: 02:42:ac:11:65:43}}
networks: {n: {driver_opts: {a: b}}}
networks: {n: {interface_name: eth5}}
networks: {n: {gw_priority: 3}}
networks: {n: {priority: 3}, o: }
oom_kill_disable: true
oom_score_adj: 5
pid: host
pids_limit: 7
platform: linux/arm64
ports: [99]
ports: ["98-99"]
ports: [{target: 99}]
ports: [{target: 99, published: 5}]
ports: [{target: 99, host_ip: 127.0.0.1}]
ports: [{target: 99, protocol: udp}]
ports: [{target: 99, app_protocol: http}]
ports: [{target: 99, mode: host}]
ports: [{target: 99, name: web}]
post_start: [{command: x}]
pre_stop: [{command: x}]
privileged: true
profiles: [x]
provider: {type: x}
pull_policy: always
pull_refresh_after: 24h
read_only: true
restart: always
runtime: runsc
scale: 2
secrets: [s]
secrets: [{source: s, target: x, uid: "3", gid: "4", mode: 0440}]
security_opt: [seccomp=unconfined]
security_opt: [apparmor=unconfined]
security_opt: [label=disable]
security_opt: [systempaths=unconfined]
shm_size: 1m
stdin_open: true
stop_grace_period: 5s
stop_signal: SIGINT
storage_opt: {size: 1g}
sysctls: {net.core.somaxconn: 5}
tmpfs: /x
tty: true
ulimits: {nofile: 5}
ulimits: {nofile: {soft: 5, hard: 6}}
use_api_socket: true
user: "5"
userns_mode: host
uts: host
volumes: [./b:/x]
volumes: [/y]
volumes: [v:/x]
volumes: [{type: bind, source: ./b, target: /x}]
volumes: [{type: bind, source: ./gone, target: /x, bind: {create_host_path: false}}]
volumes: [{type: bind, source: ./b, target: /x, bind: {propagation: rshared}}]
volumes: [{type: bind, source: ./b, target: /x, bind: {recursive: disabled}}]
volumes: [{type: bind, source: ./b, target: /x, bind: {selinux: z}}]
volumes: [{type: bind, source: ./b, target: /x, consistency: cached}]
volumes: [{type: bind, source: ./b, target: /x, read_only: true}]
volumes: [{type: image, source: i, target: /x}]
volumes: [{type: image, source: i, target: /x, image: {subpath: y}}]
volumes: [{type: npipe, source: 'x', target: /x}]
volumes: [{type: cluster, source: 'x', target: /x}]
volumes: [{type: tmpfs, target: /x}]
volumes: [{type: tmpfs, target: /x, tmpfs: {size: 1m}}]
volumes: [{type: tmpfs, target: /x, tmpfs: {mode: 0700}}]
volumes: [{type: volume, source: v, target: /x, volume: {nocopy: true}}]
volumes: [{type: volume, source: v, target: /x, volume: {subpath: y}}]
volumes: [{type: volume, source: v, target: /x, volume: {labels: {a: b}}}]
volumes_from: [peer]
working_dir: /x
"""

# At the top level, instead of the row of that name in BASE.
TOP = """
name: x
version: "3.8"
include: [other.yml]
include: [{path: other.yml, project_directory: ., env_file: one.env}]
models: {m: {model: ai/x}}
networks: {default: {name: x}}
networks: {default: {driver: overlay}}
networks: {default: {driver_opts: {com.docker.network.driver.mtu: 1400}}}
networks: {default: {driver_opts: {other: 1}}}
networks: {default: {internal: true}}
networks: {default: {attachable: true}}
networks: {default: {external: true}}
networks: {default: {external: {name: x}}}
networks: {default: {enable_ipv4: false}}
networks: {default: {enable_ipv6: true}}
networks: {default: {labels: {a: b}}}
networks: {default: {ipam: {driver: x}}}
networks: {default: {ipam: {options: {a: b}}}}
networks: {default: {ipam: {config: [{subnet: 10.8.0.0/24}]}}}
networks: {default: {ipam: {config: [{subnet: 10.8.0.0/24, gateway: 10.8.0.7}]}}}
networks: {default: {ipam: {config: [{subnet: 10.8.0.0/24, ip_range: 10.8.0.0/28}]}}}
networks: {default: {ipam: {config: [{subnet: 10.8.0.0/24, aux_addresses: {a: 10.8.0.9}}]}}}
volumes: {v: {driver: nfs}}
volumes: {v: {driver_opts: {type: tmpfs, device: tmpfs}}}
volumes: {v: {external: true}}
volumes: {v: {external: {name: x}}}
volumes: {v: {labels: {a: b}}}
volumes: {v: {name: x}}
secrets: {s: {environment: HOME}}
secrets: {s: {external: true}}
secrets: {s: {file: ./one.env, labels: {a: b}}}
secrets: {s: {file: ./one.env, driver: x}}
secrets: {s: {file: ./one.env, driver_opts: {a: b}}}
secrets: {s: {file: ./one.env, template_driver: golang}}
secrets: {s: {file: ./one.env, name: x}}
configs: {c: {content: hello}}
configs: {c: {environment: HOME}}
configs: {c: {external: true}}
configs: {c: {file: ./one.env, labels: {a: b}}}
configs: {c: {file: ./one.env, template_driver: golang}}
configs: {c: {file: ./one.env, name: x}}
"""

BASE = {
    "volumes": "volumes: {v: }",
    "secrets": "secrets: {s: {file: ./b/Dockerfile}}",
    "configs": "configs: {c: {file: ./b/Dockerfile}}",
    "networks": "networks: {n: {ipam: {config: [{subnet: 10.9.0.0/24}]}}, o: }",
}

# What a plan for one instance on one node has no place for, and nobody misses.
SILENT = {
    "name: x": "the instance's own project name takes its place",
    'version: "3.8"': "says nothing since compose v2",
    "networks: {default: {name: x}}": "networks are named after the instance",
    "networks: {default: {external: true}}": "the instance gets its own",
    "networks: {default: {external: {name: x}}}": "the instance gets its own",
    "networks: {default: {ipam: {config: [{subnet: 10.8.0.0/24}]}}}": "the instance has subnets of its own",
    "volumes: {v: {external: true}}": "the instance gets its own",
    "volumes: {v: {external: {name: x}}}": "the instance gets its own",
    "volumes: {v: {name: x}}": "volumes are named after the instance",
}


class Keys(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="ctfy-test-")
        cls.root = Path(cls.folder.name) / "keys"
        (cls.root / "b").mkdir(parents=True)
        (cls.root / "b/Dockerfile").write_text("FROM x AS one\nFROM y\nARG A\n")
        (cls.root / "b/Other").write_text("FROM z\n")
        (cls.root / "one.env").write_text("ONE=1\n")
        (cls.root / "other.yml").write_text("services: {base: {image: based, labels: {a: b}}}\n")
        (cls.root / "policy.yml").write_text("allow: ['*']\n")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @functools.cache
    def plan(self, service="", top=""):
        """(the plan as text, "" for none; what was said)"""
        own = "".join(f"    {line}\n" for line in service.split("\n") if line)
        image = "" if service.startswith(("build", "image", "provider")) else "    image: i\n"
        uses = "    volumes: [v:/v]\n    secrets: [s]\n    configs: [c]\n" if top else ""
        rows = [row for name, row in BASE.items() if not top.startswith(name)] + [top]
        (self.root / "compose.yml").write_text(
            f"services:\n  peer: {{image: peer, healthcheck: {{test: x}}}}\n  web:\n{image}{own}{uses}" + "\n".join(rows) + "\n")
        ran = subprocess.run([CTFY, "challenge", "plan", "--policy", "policy.yml", "."], cwd=self.root, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertIn(ran.returncode, (0, 1), ran.stderr)
        return ran.stdout, ran.stderr

    def judge(self, row, said, plan, without):
        names = [word for word in row.replace("{", " ").replace("[", " ").replace(",", " ").split() if word.endswith(":")]
        if not plan:
            self.assertIn("error: ", said)
        told = [name for name in names if name[:-1] in said]
        return plan != without or bool(told)

    def test_every_key_of_a_service(self):
        for row in filter(None, SERVICE.split("\n")):
            with self.subTest(row):
                without = self.plan("build: {context: b}" if row.startswith("build") else "")[0]
                plan, said = self.plan(row)
                self.assertTrue(self.judge(row, said, plan, without), f"dropped without a word; said: {said!r}")

    def test_every_key_of_the_top_level(self):
        for row in filter(None, TOP.split("\n")):
            with self.subTest(row):
                name = row.split(":")[0]
                without = self.plan(top=BASE.get(name, "x-nothing: 1"))[0]
                plan, said = self.plan(top=row)
                dropped = not self.judge(row, said, plan, without)
                self.assertEqual(dropped, row in SILENT, f"said: {said!r}")


if __name__ == "__main__":
    unittest.main()

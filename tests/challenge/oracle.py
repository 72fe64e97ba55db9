#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Debian's docker-compose and our plan, key by key: oracle.py CORPUS-PROGRAM [DIR]

For every compose file below DIR that docker-compose 1.29 accepts, what its `config` says of each
service is compared with what our plan, all opt-ins given, asks of the engine. A difference is
either one of the reasons below or a failure. Exits with 77 where docker-compose or DIR is absent.
"""

import collections
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

try:
    import yaml
    from compose.config import config as compose_config
    from compose.config.environment import Environment
    from compose.config.errors import ConfigurationError
    from compose.config.serialize import serialize_config
except ImportError:
    print("docker-compose 1.29 is not installed")
    sys.exit(77)

NAMES = {"docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml"}

# What is meant to differ, and why.
REASONS = {
    "built": "an image that is built here is named by its content",
    "bind": "a bind becomes read-only, a copy or an empty directory of the instance",
    "default-limit": "a container that asks for no limit gets one",
    "log": "the node reads the log and bounds it",
    "rights": "capabilities start from none; no-new-privileges unless asked otherwise",
    "unset-argument": "compose v2: an argument that is not set leaves the Dockerfile's default",
    "null-command": "a null command is none",
    "no-effect": "a warning says that it has no effect",
    "network": "networks are the instance's own: no fixed names, addresses are offsets",
    "swap": "no swap beyond the limit",
    "lone": "a name alone in environment stays without a value",
    "privileged": "the engine gives a privileged service all capabilities",
}


class Report:
    def __init__(self):
        self.agreed = collections.Counter()
        self.reasons = collections.Counter()
        self.failures = []

    def same(self, where, key, theirs, ours):
        if theirs == ours:
            self.agreed[key] += 1
        else:
            self.failures.append(f"{where}: {key}: compose has {theirs!r}, the plan has {ours!r}")

    def differs(self, reason):
        assert reason in REASONS, reason
        self.reasons[reason] += 1


def nanoseconds(text):
    units = {"h": 3600e9, "m": 60e9, "s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1}
    return int(sum(float(n) * units[u]
                   for n, u in re.findall(r"([\d.]+)(ms|us|ns|h|m|s)", str(text))))


def size(value):
    """Bytes of 512m, 1.5GiB, 1024."""
    if isinstance(value, int):
        return value
    number, unit = re.fullmatch(r"([\d.]+)\s*([kmgt]?)i?b?", str(value).lower()).groups()
    return int(float(number) * 1024 ** " kmgt".index(unit or " "))


def words(value):
    if value is None:
        return None
    return shlex.split(value) if isinstance(value, str) else [str(word) for word in value]


def scalar(value):
    return "" if value is None else str(value)


def pairs(value):
    if isinstance(value, list):
        value = dict(item.split("=", 1) if "=" in item else (item, None) for item in value)
    return value or {}


def container_port(port):
    if isinstance(port, dict):
        return {(int(port["target"]), port.get("protocol", "tcp"))}
    port, _, protocol = str(port).partition("/")
    first, _, last = port.rpartition(":")[2].partition("-")
    return {(number, protocol or "tcp") for number in range(int(first), int(last or first) + 1)}


def compare_ports(report, where, theirs, ours):
    published = set().union(*map(container_port, theirs.get("ports", [])))
    exposed = set().union(*map(container_port, theirs.get("expose", [])))
    have = {(port["container_port"], port["protocol"]): port["published"]
            for port in ours.get("ports", [])}
    report.same(where, "ports", published, {port for port, is_out in have.items() if is_out})
    report.same(where, "expose", exposed | published, set(have))
    report.same(where, "exposed ports", {f"{n}/{p}" for n, p in have},
                set(ours["container"]["ExposedPorts"]))


def compare_environment(report, where, theirs, ours):
    have = dict(item.split("=", 1) if "=" in item else (item, None)
                for item in ours["container"]["Env"])
    want = pairs(theirs.get("environment"))
    for name in sorted(set(want) | set(have)):
        a, b = want.get(name, "absent"), have.get(name, "absent")
        if a is None and b is None:
            report.differs("lone")
        else:
            report.same(where, f"environment", (name, scalar(a)), (name, scalar(b)))


def mount(volume):
    """(source, target, read-only) of the short form in which config writes it."""
    if isinstance(volume, dict):
        return volume.get("source"), volume["target"], volume.get("read_only", False)
    parts = volume.split(":")
    if len(parts) == 1:
        return None, parts[0], False
    return parts[0], parts[1], len(parts) > 2 and "ro" in parts[2].split(",")


def compare_volumes(report, where, theirs, ours):
    binds = {bind["target"]: bind for bind in ours.get("binds", [])}
    volumes = {use["target"]: use for use in ours.get("volumes", [])}
    tmpfs = ours["container"]["HostConfig"].get("Tmpfs", {})
    targets = set()
    for volume in theirs.get("volumes", []):
        source, target, read_only = mount(volume)
        targets.add(target)
        if isinstance(volume, dict) and volume.get("type") == "tmpfs":
            report.same(where, "volumes", True, target in tmpfs)
        elif source and source.startswith("/"):
            bind = binds.get(target, {})
            report.same(where, "bind source", source, bind.get("source"))
            report.same(where, "bind read-only", read_only, bind.get("read_only", False))
            report.differs("bind")
        else:
            use = volumes.get(target, {})
            report.same(where, "volumes", (source, target, read_only),
                        (use.get("volume"), use.get("target"), use.get("read_only", False)))
    report.same(where, "mount targets", targets, set(binds) | set(volumes) |
                {target for target in tmpfs if target in targets})


def compare_networks(report, where, theirs, ours):
    mode = theirs.get("network_mode")
    if mode in ("host", "none"):
        report.same(where, "network_mode", mode, ours.get("network_mode"))
        return
    if mode and mode.startswith(("service:", "container:")):
        report.same(where, "network_mode", "service", ours.get("network_mode"))
        return
    want = theirs.get("networks") or {"default": None}
    if isinstance(want, list):
        want = dict.fromkeys(want)
    have = {use["network"]: use for use in ours["networks"]}
    report.same(where, "networks", set(want), set(have))
    for name, how in want.items():
        aliases = set((how or {}).get("aliases", []))
        report.same(where, "aliases", aliases, aliases & set(have[name]["aliases"]))
        if (how or {}).get("ipv4_address"):
            report.differs("network")
    if theirs.get("container_name"):
        report.same(where, "container_name", True,
                    all(theirs["container_name"] in use["aliases"] for use in have.values()))


def compare_health(report, where, theirs, ours):
    want, have = theirs.get("healthcheck"), ours["container"].get("Healthcheck")
    if not want:
        report.same(where, "healthcheck", None, have)
        return
    test = want.get("test")
    if isinstance(test, str):
        test = ["CMD-SHELL", test]
    if want.get("disable"):
        test = ["NONE"]
    if test:
        report.same(where, "healthcheck.test", [str(word) for word in test], have.get("Test"))
    for key, name in (("interval", "Interval"), ("timeout", "Timeout"),
                      ("start_period", "StartPeriod")):
        if key in want:
            report.same(where, f"healthcheck.{key}", nanoseconds(want[key]), have.get(name))
    if "retries" in want:
        report.same(where, "healthcheck.retries", int(want["retries"]), have.get("Retries"))


def compare_limits(report, where, theirs, ours):
    host = ours["container"]["HostConfig"]
    limits = theirs.get("deploy", {}).get("resources", {}).get("limits", {})
    memory = theirs.get("mem_limit", limits.get("memory"))
    cpus = theirs.get("cpus", limits.get("cpus"))
    if memory is not None:
        report.same(where, "mem_limit", size(memory), host["Memory"])
    if cpus is not None:
        report.same(where, "cpus", round(float(cpus) * 1e9), host["NanoCpus"])
    if "pids_limit" in theirs:
        report.same(where, "pids_limit", theirs["pids_limit"], host["PidsLimit"])
    if memory is None or cpus is None or "pids_limit" not in theirs:
        report.differs("default-limit")
    if "memswap_limit" in theirs:
        if host["MemorySwap"] == size(theirs["memswap_limit"]):
            report.agreed["memswap_limit"] += 1
        else:
            report.differs("swap")
    if "shm_size" in theirs:
        report.same(where, "shm_size", size(theirs["shm_size"]), host.get("ShmSize"))
    for name, limit in theirs.get("ulimits", {}).items():
        soft = limit["soft"] if isinstance(limit, dict) else limit
        hard = limit["hard"] if isinstance(limit, dict) else limit
        report.same(where, "ulimits", True,
                    {"Name": name, "Soft": soft, "Hard": hard} in host["Ulimits"])
    report.same(where, "replicas", theirs.get("deploy", {}).get("replicas", theirs.get("scale", 1)),
                ours["replicas"])


def compare_rights(report, where, theirs, ours):
    host = ours["container"]["HostConfig"]
    report.same(where, "privileged", theirs.get("privileged", False), host.get("Privileged", False))
    if theirs.get("privileged"):
        report.differs("privileged")
        return
    plain = {name.upper().removeprefix("CAP_") for name in theirs.get("cap_add", [])}
    if "ALL" in plain:
        report.same(where, "cap_add", True, len(host["CapAdd"]) > 35)
    else:
        report.same(where, "cap_add", plain, plain & set(host["CapAdd"]))
    dropped = {name.upper().removeprefix("CAP_") for name in theirs.get("cap_drop", [])}
    kept = set(host["CapAdd"]) - plain
    report.same(where, "cap_drop", set(), kept if "ALL" in dropped else kept & dropped)
    report.differs("rights")
    for option in theirs.get("security_opt", []):
        option = option.replace(":", "=", 1)
        have = host.get("SecurityOpt", [])
        if option.startswith("seccomp=") and not option.endswith("unconfined"):
            report.same(where, "security_opt", True, any(o.startswith("seccomp={") for o in have))
        elif option.startswith("no-new-privileges"):
            report.same(where, "security_opt", not option.endswith("false"),
                        "no-new-privileges:true" in have)
        else:
            report.same(where, "security_opt", True, option in have)


def compare_build(report, where, theirs, ours):
    want, have = theirs.get("build"), ours.get("build", {})
    if not want:
        if ours.get("built_by"):
            report.differs("built")
        else:
            report.same(where, "image", theirs.get("image"), ours["image"])
        return
    report.differs("built")
    want = {"context": want} if isinstance(want, str) else want
    report.same(where, "build.context", os.path.normpath(want["context"]),
                have.get("context", os.path.normpath(want["context"])))
    if "dockerfile" in want and have.get("dockerfile"):
        report.same(where, "build.dockerfile",
                    os.path.normpath(os.path.join(want["context"], want["dockerfile"])),
                    os.path.normpath(os.path.join(have["context"], have["dockerfile"])))
    args = {name: scalar(value) for name, value in pairs(want.get("args")).items()}
    for name in [name for name, value in args.items()
                 if not value and name not in have.get("args", {})]:
        report.differs("unset-argument")
        del args[name]
    report.same(where, "build.args", args, have.get("args", {}))
    for key in ("target", "network"):
        if key in want:
            report.same(where, f"build.{key}", want[key], have.get(key))


def compare_commands(report, where, theirs, ours):
    container = ours["container"]
    for key, name in (("command", "Cmd"), ("entrypoint", "Entrypoint")):
        if theirs.get(key) is None:
            if key in theirs:
                report.differs("null-command")
            report.same(where, key, None, container.get(name))
        else:
            report.same(where, key, words(theirs[key]), container.get(name))


def compare_life(report, where, theirs, ours):
    policy = ours["container"]["HostConfig"].get("RestartPolicy")
    name, _, retries = (theirs.get("restart") or "").partition(":")
    if name:
        report.same(where, "restart", (name, int(retries or 0)),
                    (policy["Name"], policy["MaximumRetryCount"]) if policy else None)
    depends = theirs.get("depends_on") or {}
    if isinstance(depends, list):
        depends = dict.fromkeys(depends, {"condition": "service_started"})
    have = {on["service"]: on["condition"] for on in ours.get("depends_on", [])}
    for service, how in depends.items():
        condition = how.get("condition", "service_started").removeprefix("service_")
        report.same(where, "depends_on", condition.removesuffix("_successfully"),
                    have.get(service))
    links = {link.split(":")[0] for link in theirs.get("links", [])}
    report.same(where, "links", links, links & set(have))
    if "stop_grace_period" in theirs:
        report.same(where, "stop_grace_period",
                    -(-nanoseconds(theirs["stop_grace_period"]) // 10 ** 9),
                    ours["container"].get("StopTimeout"))


# Keys that are the engine's under another name, and how each is written there.
SAME = {
    "hostname": ("Hostname", str), "domainname": ("Domainname", str), "user": ("User", str),
    "working_dir": ("WorkingDir", str), "tty": ("Tty", bool), "stdin_open": ("OpenStdin", bool),
    "stop_signal": ("StopSignal", str), "labels": ("Labels", pairs),
}
SAME_HOST = {
    "init": ("Init", bool), "read_only": ("ReadonlyRootfs", bool), "dns_search": ("DnsSearch", list),
    "pid": ("PidMode", str), "ipc": ("IpcMode", str), "group_add": ("GroupAdd", list),
    "dns": ("Dns", lambda value: [value] if isinstance(value, str) else value),
    "sysctls": ("Sysctls", lambda value: {k: str(v) for k, v in pairs(value).items()}),
    "extra_hosts": ("ExtraHosts", lambda value: value if isinstance(value, list) else
                    [f"{name}:{address}" for name, address in value.items()]),
    "oom_score_adj": ("OomScoreAdj", int), "cpu_shares": ("CpuShares", int),
    "mem_reservation": ("MemoryReservation", size), "cpuset": ("CpusetCpus", str), "userns_mode": ("UsernsMode", str),
}
NO_EFFECT = {"cpu_count", "logging", "platform", "profiles", "mac_address", "isolation"}
ELSEWHERE = {
    "build", "image", "ports", "expose", "environment", "volumes", "networks", "network_mode",
    "container_name", "healthcheck", "mem_limit", "cpus", "pids_limit", "memswap_limit",
    "shm_size", "ulimits", "deploy", "scale", "privileged", "cap_add", "cap_drop", "security_opt",
    "command", "entrypoint", "restart", "depends_on", "links", "stop_grace_period", "tmpfs",
    "devices", "env_file", "extends",
}


def compare_rest(report, where, theirs, ours):
    container, host = ours["container"], ours["container"]["HostConfig"]
    for key, value in theirs.items():
        if key in SAME:
            name, how = SAME[key]
            report.same(where, key, how(value), container.get(name))
        elif key in SAME_HOST:
            name, how = SAME_HOST[key]
            report.same(where, key, how(value), host.get(name))
        elif key in NO_EFFECT:
            report.differs("log" if key == "logging" else "no-effect")
        elif key not in ELSEWHERE:
            report.failures.append(f"{where}: {key}: not compared")
    tmpfs = theirs.get("tmpfs", [])
    for item in [tmpfs] if isinstance(tmpfs, str) else tmpfs:
        target, _, options = item.partition(":")
        report.same(where, "tmpfs", options, host.get("Tmpfs", {}).get(target))
    for device in theirs.get("devices", []):
        parts = device.split(":")
        report.same(where, "devices", True, any(
            d["PathOnHost"] == parts[0] and d["PathInContainer"] == (parts[1:] or parts)[0]
            for d in host.get("Devices", [])))


def compare(report, where, theirs, ours):
    for part in (compare_build, compare_ports, compare_environment, compare_volumes,
                 compare_networks, compare_health, compare_limits, compare_rights,
                 compare_commands, compare_life, compare_rest):
        part(report, where, theirs, ours)


def compose_services(path, answers):
    """What `docker-compose config` prints, or why it refuses."""
    variables = {name.upper().replace(".", "_"): value for name, value in answers.items()}
    environment = Environment({**variables, "PWD": str(path.parent),
                               "COMPOSE_PROJECT_NAME": "ctfy-corpus"})
    dotenv = Environment.from_env_file(str(path.parent))
    for name, value in dotenv.items():
        environment.setdefault(name, value)
    os.chdir(path.parent)  # it reads a seccomp profile from where it stands
    details = compose_config.find(str(path.parent), [path.name], environment, None)
    loaded = compose_config.load(details)
    return yaml.safe_load(serialize_config(loaded, escape_dollar=False)).get("services", {})


def main():
    program = os.path.abspath(sys.argv[1])
    root = Path((sys.argv + ["../shared/corpus"])[2]).resolve()
    paths = sorted(path.resolve() for path in root.rglob("*") if path.name in NAMES)
    if not paths:
        print(f"there is no corpus at '{root}'")
        sys.exit(77)
    plans = subprocess.run([program, "--plan", *map(str, paths)], stdout=subprocess.PIPE,
                           check=True).stdout.splitlines()
    report, accepted, refused, unplanned = Report(), 0, [], []
    for path, line in zip(paths, plans):
        plan = json.loads(line)
        try:
            theirs = compose_services(path, plan["answers"] if plan else {})
        except (ConfigurationError, yaml.YAMLError, ValueError) as why:
            refused.append((path, str(getattr(why, "msg", why)).strip().splitlines()[-1], plan))
            continue
        accepted += 1
        name = str(path.relative_to(root))
        if not plan:
            unplanned.append(name)
            continue
        ours = {service["name"]: service for service in plan["plan"]["services"]}
        for service, keys in theirs.items():
            if service in ours:
                compare(report, f"{name}: {service}", keys, ours[service])
            else:
                report.failures.append(f"{name}: the plan lacks the service {service}")
    print(f"{len(paths)} files, {accepted} accepted by docker-compose, "
          f"{len(refused)} refused by it, {len(unplanned)} without a plan of ours")
    for path, why, plan in refused:
        print(f"  refused by it, {'planned' if plan else 'not planned'} by us: "
              f"{path.relative_to(root)}: {why}")
    for name in unplanned:
        print(f"  no plan: {name}")
    print("\nagreed, by key")
    for key, count in sorted(report.agreed.items()):
        print(f"{count:6} {key}")
    print("\nmeant to differ")
    for reason, count in sorted(report.reasons.items()):
        print(f"{count:6} {REASONS[reason]}")
    for failure in report.failures:
        print(f"DIFFERS {failure}")
    print(f"\n{sum(report.agreed.values())} agree, {len(report.failures)} differ without a reason")
    sys.exit(1 if report.failures or unplanned else 0)


main()

"""What Lima takes in a configuration, and what this project asks of its own.

Lima itself only warns of a key that it does not know, and does nothing for it.  The keys are those of Lima 2
that a template may set (``pkg/limatype/lima_yaml.go``); the rules are its own (``pkg/limayaml/validate.go``),
and those of this project.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from typing import Any

import yaml

Shape = Any
"""A type, a tuple of the values allowed, a list of one shape, or a dict of shapes by key."""

TEXT, TRUTH, NUMBER = str, bool, int
SIZE = re.compile(r"\d+(\.\d+)?(K|M|G|T)iB")
ARCHITECTURES = ("x86_64", "aarch64", "armv7l", "ppc64le", "riscv64", "s390x")
NAMES = {str: TEXT}
"""A mapping from any names to texts."""

FILE = {"location": TEXT, "arch": ARCHITECTURES, "digest": TEXT}
SCHEMA: dict[str, Shape] = {
    "base": [TEXT],
    "minimumLimaVersion": TEXT,
    "vmType": ("qemu", "vz", "wsl2"),
    "vmOpts": {
        "qemu": {"minimumVersion": TEXT, "cpuType": NAMES},
        "vz": {"rosetta": {"enabled": TRUTH, "binfmt": TRUTH}, "diskImageFormat": TEXT},
    },
    "os": ("Linux",),
    "arch": ARCHITECTURES,
    "images": [{**FILE, "kernel": {**FILE, "cmdline": TEXT}, "initrd": FILE}],
    "cpus": NUMBER,
    "memory": SIZE,
    "disk": SIZE,
    "additionalDisks": [{"name": TEXT, "format": TRUTH, "fsType": TEXT, "fsArgs": [TEXT]}],
    "mounts": [
        {
            "location": TEXT,
            "mountPoint": TEXT,
            "writable": TRUTH,
            "sshfs": {"cache": TRUTH, "followSymlinks": TRUTH, "sftpDriver": TEXT},
            "9p": {"securityModel": TEXT, "protocolVersion": TEXT, "msize": TEXT, "cache": TEXT},
            "virtiofs": {"queueSize": NUMBER},
        }
    ],
    "mountTypesUnsupported": [("reverse-sshfs", "9p", "virtiofs", "wsl2")],
    "mountType": ("reverse-sshfs", "9p", "virtiofs", "wsl2"),
    "mountInotify": TRUTH,
    "ssh": {
        "localPort": NUMBER,
        "loadDotSSHPubKeys": TRUTH,
        "forwardAgent": TRUTH,
        "forwardX11": TRUTH,
        "forwardX11Trusted": TRUTH,
        "overVsock": TRUTH,
    },
    "firmware": {"legacyBIOS": TRUTH, "images": [{**FILE, "vmType": TEXT}]},
    "audio": {"device": TEXT},
    "video": {"display": TEXT, "vnc": {"display": TEXT}},
    "provision": [
        {
            "mode": ("system", "user", "boot", "dependency", "data", "yq"),
            "skipDefaultDependencyResolution": TRUTH,
            "script": TEXT,
            "file": TEXT,
            "content": TEXT,
            "overwrite": TRUTH,
            "owner": TEXT,
            "path": TEXT,
            "permissions": TEXT,
            "expression": TEXT,
            "format": TEXT,
        }
    ],
    "upgradePackages": TRUTH,
    "containerd": {"system": TRUTH, "user": TRUTH, "archives": [FILE]},
    "guestInstallPrefix": TEXT,
    "probes": [{"mode": ("readiness",), "description": TEXT, "script": TEXT, "file": TEXT, "hint": TEXT}],
    "portForwards": [
        {
            "guestIPMustBeZero": TRUTH,
            "guestIP": TEXT,
            "guestPort": NUMBER,
            "guestPortRange": [NUMBER],
            "guestSocket": TEXT,
            "hostIP": TEXT,
            "hostPort": NUMBER,
            "hostPortRange": [NUMBER],
            "hostSocket": TEXT,
            "proto": ("tcp", "udp", "any"),
            "reverse": TRUTH,
            "ignore": TRUTH,
            "static": TRUTH,
        }
    ],
    "copyToHost": [{"guest": TEXT, "host": TEXT, "deleteOnStop": TRUTH}],
    "message": TEXT,
    "networks": [
        {
            "lima": TEXT,
            "socket": TEXT,
            "vzNAT": TRUTH,
            "macAddress": TEXT,
            "interface": TEXT,
            "metric": NUMBER,
        }
    ],
    "env": NAMES,
    "param": NAMES,
    "dns": [TEXT],
    "hostResolver": {"enabled": TRUTH, "ipv6": TRUTH, "hosts": NAMES},
    "propagateProxyEnv": TRUTH,
    "caCerts": {"removeDefaults": TRUTH, "files": [TEXT], "certs": [TEXT]},
    "plain": TRUTH,
    "timezone": TEXT,
    "nestedVirtualization": TRUTH,
    "user": {"name": TEXT, "comment": TEXT, "home": TEXT, "shell": TEXT, "uid": NUMBER},
}

SYSTEM = {"/", "/bin", "/dev", "/etc", "/home", "/opt", "/sbin", "/tmp", "/usr", "/var"}
"""Where Lima mounts nothing."""

IN_GUEST = {"Home", "Name", "Hostname", "UID", "User"}
ON_HOST = {*IN_GUEST, "Dir"}
"""What a template in double braces may name, besides parameters."""

_VERSION = re.compile(r"\d+\.\d+\.\d+")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_DATED = re.compile(r"\d{8}")
_TEMPLATE = re.compile(r"{{([^}]*)}}")


class _Strict(yaml.SafeLoader):
    """YAML in which a key stands once: else the last one counts, and nobody is told."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]  # type: ignore[no-untyped-call]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"{key} stands twice")
        return super().construct_mapping(node, deep)


def problems(text: str) -> list[str]:
    """What is wrong with a configuration, a line each; none for one that is right."""
    try:
        config = yaml.load(text, _Strict)
    except yaml.YAMLError as error:
        return [f"not YAML: {error}"]
    found = list(_misshapen(config, SCHEMA, ""))
    # Where the shape is wrong, the rules would only stumble.
    rules = (_images, _machine, _scripts, _files, _templates)
    return found or [line for rule in rules for line in rule(config)]


def _misshapen(value: object, shape: Shape, at: str) -> Iterator[str]:
    if isinstance(shape, dict) and isinstance(value, dict):
        for key, inner in value.items():
            wanted = shape.get(str, shape.get(key)) if isinstance(key, str) else None
            if wanted is None:
                yield f"{at}{key}: Lima knows no such key"
            else:
                yield from _misshapen(inner, wanted, f"{at}{key}.")
    elif isinstance(shape, list) and isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _misshapen(inner, shape[0], f"{at}{number}.")
    elif isinstance(shape, tuple):
        if value not in shape:
            yield f"{at[:-1]}: {value!r} is none of {', '.join(shape)}"
    elif isinstance(shape, re.Pattern):
        if not isinstance(value, str) or not shape.fullmatch(value):
            yield f"{at[:-1]}: {value!r} is no size such as 3GiB"
    elif not isinstance(shape, type) or type(value) is not shape:
        yield f"{at[:-1]}: {value!r} is of the wrong type"


def _images(config: dict[str, Any]) -> Iterator[str]:
    images = config.get("images", [])
    for arch in ("x86_64", "aarch64"):
        mine = [image for image in images if image.get("arch") == arch]
        if not mine:
            yield f"images: none for {arch}"
        elif _DATED.search(mine[-1]["location"]) or "digest" in mine[-1]:
            yield f"images: the last for {arch} is of a certain day, after which it will be deleted"
    for image in images:
        location = image.get("location", "")
        if not location.startswith("https://"):
            yield f"images: {location} does not come over https"
        if "digest" in image and not _DIGEST.fullmatch(image["digest"]):
            yield f"images: {image['digest']} is no digest"
        if "digest" not in image and _DATED.search(location):
            yield f"images: {location} is of a certain day, and has no digest"


def _machine(config: dict[str, Any]) -> Iterator[str]:
    if not _VERSION.fullmatch(config.get("minimumLimaVersion", "")):
        yield "minimumLimaVersion: not three numbers with dots"
    for key in ("vmType", "mountType", "arch"):
        if key in config:
            yield f"{key}: fits one kind of host only, and Lima chooses better"
    if config.get("containerd") != {"system": False, "user": False}:
        yield "containerd: not switched off, which is not the default"
    for mount in config.get("mounts", []):
        location = mount.get("location", "")
        if not location.startswith(("/", "~", "{{.Param.")):
            yield f"mounts: {location!r} is no absolute path"
        for place in (location, mount.get("mountPoint", "/x")):
            if place in SYSTEM:
                yield f"mounts: {place} belongs to the system"
    for forward in config.get("portForwards", []):
        if forward.get("hostIP") != "127.0.0.1":
            yield "portForwards: open to others than this host"
        for key in ("guestPort", "hostPort"):
            if not 1024 <= forward.get(key, 1024) <= 65535:
                yield f"portForwards: {forward[key]} is no port for an ordinary user"


def _scripts(config: dict[str, Any]) -> Iterator[str]:
    for kind in ("provision", "probes"):
        for step in config.get(kind, []):
            if ("script" in step) == ("file" in step):
                yield f"{kind}: not exactly one of script and file"
            if ".." in step.get("file", "").split("/") or step.get("file", "").startswith("/"):
                yield f"{kind}: {step['file']} is not below the template's directory"
            if not step.get("script", "#!").startswith("#!"):
                yield f"{kind}: the script does not begin with #!"
            if "LIMA_CIDATA" in step.get("script", ""):
                yield f"{kind}: the script uses LIMA_CIDATA variables, which are Lima's own"
            if re.search(r"/home/\w", step.get("script", "")):
                yield f"{kind}: the script takes the home directory for granted"
    for probe in config.get("probes", []):
        if not probe.get("hint", "").strip() or not probe.get("description", "").strip():
            yield "probes: one has no hint or no description"
    if not config.get("probes"):
        yield "probes: there are none, and nothing else notices a provisioning script that fails"


def _files(config: dict[str, Any]) -> Iterator[str]:
    for copied in config.get("copyToHost", []):
        if not copied.get("guest", "").startswith(("/", "{{.Home}}")):
            yield f"copyToHost: {copied.get('guest')} is no absolute path"
        if not copied.get("host", "").startswith(("/", "{{.Dir}}", "{{.Home}}")):
            yield f"copyToHost: {copied.get('host')} is no absolute path"


def _templates(config: dict[str, Any]) -> Iterator[str]:
    params = config.get("param", {})
    used = set()
    for at, text in _texts(config, ""):
        on_host = at.startswith(("mounts", "copyToHost", "message", "probes")) and not at.endswith("script")
        for inner in _TEMPLATE.findall(text):
            name = inner.strip().removeprefix(".")
            if name.startswith("Param."):
                used.add(name.removeprefix("Param."))
                if name.removeprefix("Param.") not in params:
                    yield f"{at}: {name} is not declared under param"
            elif name not in (ON_HOST if on_host else IN_GUEST):
                yield f"{at}: {{{{{inner}}}}} is nothing that Lima knows there"
        used.update(re.findall(r"\bPARAM_(\w+)", text))
    for name in params:
        if not re.fullmatch(r"[a-zA-Z]\w*", name):
            yield f"param: {name} is no name"
        elif name not in used:
            yield f"param: {name} is used nowhere"


def _texts(value: object, at: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield at[:-1], value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, f"{at}{key}.")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts(inner, f"{at}{number}.")

"""Kubeconfig files: how kubectl, the operator and users find the control plane and who they are to it."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from controller.local.certificates import Identity
from controller.local.errors import LocalError
from controller.local.files import write_private

NAME = "nxc-local"
"""What cluster and context are called, and how a file of ours is told from somebody else's."""


@dataclass(frozen=True)
class Access:
    """What a kubeconfig of ours says."""

    server: str
    authority: bytes
    identity: Identity
    user: str
    namespace: str


def render(access: Access) -> bytes:
    """The kubeconfig as YAML, certificates inline, so that the one file can be handed on."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "clusters": [
            {
                "name": NAME,
                "cluster": {"server": access.server, "certificate-authority-data": _text(access.authority)},
            }
        ],
        "contexts": [
            {"name": NAME, "context": {"cluster": NAME, "user": access.user, "namespace": access.namespace}}
        ],
        "users": [
            {
                "name": access.user,
                "user": {
                    "client-certificate-data": _text(access.identity.certificate),
                    "client-key-data": _text(access.identity.key),
                },
            }
        ],
    }
    return yaml.safe_dump(document, sort_keys=False, width=4096).encode()


def write(path: Path, access: Access) -> None:
    """Write the kubeconfig atomically with mode 0600.

    A file that names other clusters too is somebody's own and is refused, never overwritten.
    """
    if path.exists() and not is_ours(path):
        raise LocalError(
            f"{path} names other clusters, so it is left alone; give --kubeconfig a new file and join them"
            f" with KUBECONFIG={path}:NEW_FILE"
        )
    try:
        write_private(path, render(access))
    except OSError as error:
        raise LocalError(f"the kubeconfig {path} cannot be written: {error.strerror}") from error


def read(path: Path) -> Access:
    """Read a kubeconfig of ours; raises `LocalError` naming the file when it is missing or another's."""
    try:
        document = yaml.safe_load(path.read_bytes())
        cluster = document["clusters"][0]["cluster"]
        user = document["users"][0]
        return Access(
            server=cluster["server"],
            authority=_bytes(cluster["certificate-authority-data"]),
            identity=Identity(
                key=_bytes(user["user"]["client-key-data"]),
                certificate=_bytes(user["user"]["client-certificate-data"]),
            ),
            user=user["name"],
            namespace=document["contexts"][0]["context"].get("namespace", "default"),
        )
    except OSError as error:
        raise LocalError(f"the kubeconfig {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, KeyError, IndexError, TypeError, AttributeError, binascii.Error) as error:
        raise LocalError(f"{path} is not a kubeconfig of nxc-controller") from error


def is_ours(path: Path) -> bool:
    """Whether a file is empty or holds exactly our cluster."""
    try:
        document: Any = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError):
        return False
    if document is None:
        return True
    clusters = document.get("clusters") if isinstance(document, dict) else None
    return isinstance(clusters, list) and [c.get("name") for c in clusters if isinstance(c, dict)] == [NAME]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)

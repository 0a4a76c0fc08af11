"""Where the API server is, and how to log in to it."""

from __future__ import annotations

import os
from pathlib import Path

import yaml
from kubernetes.aio import config
from kubernetes.aio.client import Configuration

from controller.model.errors import Blame, NxcError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def kubeconfig_path(given: str | None = None) -> str | None:
    """The kubeconfig that counts: the one named, `$KUBECONFIG`, or ~/.kube/config; `None` inside a pod."""
    if given:
        return given
    if os.environ.get("KUBECONFIG"):
        return os.environ["KUBECONFIG"]
    if SERVICE_ACCOUNT.exists():
        return None
    return str(Path("~/.kube/config").expanduser())


async def load(given: str | None = None, *, context: str | None = None) -> Configuration:
    """Read it. Raises `NxcError` with a message that names the file and what to do."""
    source = kubeconfig_path(given)
    _must_exist(source)
    configuration = Configuration()
    try:
        if source is None:
            config.load_incluster_config(client_configuration=configuration)
        else:
            await config.load_kube_config(
                config_file=source, context=context, client_configuration=configuration
            )
    except (
        config.ConfigException,
        yaml.YAMLError,
        ValueError,
        OSError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:
        where = source or "the pod's service account"
        raise NxcError(
            "KubeconfigUnusable",
            f"cannot log in by {where}: {' '.join(str(error).split())}",
            blame=Blame.USER,
        ) from error
    return configuration


def default_namespace(given: str | None = None, context: str | None = None) -> str:
    """The namespace of the kubeconfig's context; `default` where it names none, or inside a pod."""
    source = kubeconfig_path(given)
    if source is None:
        return "default"
    contexts, active = config.list_kube_config_contexts(source)
    chosen = next((item for item in contexts if item["name"] == context), active)
    return str(chosen.get("context", {}).get("namespace") or "default")


def _must_exist(source: str | None) -> None:
    for file in (source or "").split(os.pathsep):
        if file and not Path(file).is_file():
            raise NxcError(
                "KubeconfigMissing",
                f"there is no kubeconfig {file}: name one with --kubeconfig or $KUBECONFIG "
                "(`nxc-controller up` makes one)",
                blame=Blame.USER,
            )

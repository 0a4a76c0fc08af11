"""`nxc-controller user add NAME`: another person on this control plane, with a role in one namespace."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

from controller.local import kubeconfig
from controller.local.certificates import Authority, now, valid_for
from controller.local.client import Client, administrator
from controller.local.core.errors import ApiError
from controller.local.errors import LocalError
from controller.local.kubeconfig import Access
from controller.local.state import default_directory

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.@_-]{0,61}[A-Za-z0-9])?")
_ROLES = "/apis/rbac.authorization.k8s.io/v1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `nxc-controller user`."""
    commands = parser.add_subparsers(dest="user_command", required=True, metavar="COMMAND")
    add = commands.add_parser("add", help="give a person a kubeconfig and a role in one namespace")
    add.add_argument("name", metavar="NAME", help="the user's name, as roles and logs will know it")
    add.add_argument(
        "--namespace", default="default", help="where the role holds; made if missing (%(default)s)"
    )
    add.add_argument(
        "--role", default="edit", help="a ClusterRole: view, edit, admin, or one of yours (%(default)s)"
    )
    add.add_argument(
        "--state", type=Path, default=default_directory(), metavar="DIR", help="of `up` (%(default)s)"
    )
    add.add_argument(
        "--server",
        metavar="URL",
        help="how they reach it from another machine (https://NAME:PORT; see up --bind)",
    )
    add.add_argument("--kubeconfig", type=Path, metavar="FILE", help="the file to write (./NAME.kubeconfig)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run `user` with these arguments; the exit code."""
    parser = argparse.ArgumentParser(prog="nxc-controller user", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(argv))


def run(args: argparse.Namespace) -> int:
    """0, or 1 with a sentence on standard error."""
    try:
        path = add_user(
            args.name,
            namespace=args.namespace,
            role=args.role,
            state=args.state.expanduser().absolute(),
            server=args.server,
            target=args.kubeconfig or Path(f"{args.name}.kubeconfig"),
        )
    except (LocalError, ApiError) as error:
        print(f"nxc-controller user: {error}", file=sys.stderr)
        return 1
    print(
        f"{args.name} has the role {args.role} in the namespace {args.namespace}. Give them {path} (it is a key: as"
        f" secret as a password); they type:\n\n  export KUBECONFIG={path.name}\n  kubectl get nxc"
    )
    return 0


def add_user(
    name: str, *, namespace: str, role: str, state: Path, target: Path, server: str | None = None
) -> Path:
    """Write a kubeconfig for `name` and bind the role. Adding a user again renews the certificate.

    Raises `LocalError` for a name that cannot be or a server that does not run, `ApiError` for a refusal.
    """
    if not _NAME.fullmatch(name):
        raise LocalError(
            f"{name!r} cannot be a user's name: letters, digits and . @ _ - (1 to 63, not at the ends)"
        )
    if target.exists() and not kubeconfig.is_ours(target):
        raise LocalError(f"{target} exists and is not one of ours; name another file with --kubeconfig")
    authority = Authority.load(state)
    if server is not None:
        _must_be_valid(server, state)
    with administrator(state, authority) as client:
        _must_exist(client, role)
        _ensure_namespace(client, namespace)
        _bind(client, name, namespace, role)
        identity = authority.client(name, [], now())
        access = Access(server or client.server, authority.pem, identity, name, namespace)
    kubeconfig.write(target, access)
    return target


def _must_be_valid(server: str, state: Path) -> None:
    """Raises `LocalError` for a URL that would fail at the first TLS handshake."""
    where = urlsplit(server)
    if where.scheme != "https" or not where.hostname or where.path not in ("", "/"):
        raise LocalError(f"--server {server}: must look like https://NAME:PORT")
    names = valid_for(state)
    if where.hostname not in names:
        raise LocalError(
            f"--server {server}: the server's certificate is valid for {', '.join(sorted(names))} alone; start"
            f" `nxc-controller up` with --bind {where.hostname}"
        )


def _must_exist(client: Client, role: str) -> None:
    try:
        client.call("GET", f"{_ROLES}/clusterroles/{quote(role, safe='')}")
    except ApiError as error:
        if error.code != 404:
            raise
        raise LocalError(f"there is no ClusterRole {role!r}; common ones are view, edit and admin") from error


def _ensure_namespace(client: Client, namespace: str) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    _create(client, "/api/v1/namespaces", body)


def _bind(client: Client, name: str, namespace: str, role: str) -> None:
    group = "rbac.authorization.k8s.io"
    body = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"user-{name}-{role}", "namespace": namespace},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": name}],
    }
    _create(client, f"{_ROLES}/namespaces/{namespace}/rolebindings", body)


def _create(client: Client, path: str, body: Mapping[str, object]) -> None:
    try:
        client.call("POST", path, body)
    except ApiError as error:
        if error.reason != "AlreadyExists":
            raise

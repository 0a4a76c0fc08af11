"""The roles and bindings that a new server starts with."""

from __future__ import annotations

from typing import Any


def bootstrap_objects() -> list[dict[str, Any]]:
    """ClusterRoles and ClusterRoleBindings to create where they are missing, at every start:
    cluster-admin, admin, edit, view (with the nxc.dev kinds, by aggregation), system:basic-user,
    system:discovery, system:public-info-viewer and the operator's own role nxc-controller."""
    raise NotImplementedError

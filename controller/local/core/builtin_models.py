"""All built-in kinds and their lists, by OpenAPI name."""

from __future__ import annotations

from controller.local.core.builtin_access import (
    AUTHENTICATION,
    AUTHENTICATION_MODELS,
    AUTHORIZATION,
    AUTHORIZATION_MODELS,
    RBAC,
    RBAC_MODELS,
)
from controller.local.core.builtin_core import (
    COORDINATION,
    COORDINATION_MODELS,
    CORE,
    CORE_MODELS,
    EVENTS,
    EVENTS_MODELS,
)
from controller.local.core.builtin_definitions import EXTENSIONS, EXTENSIONS_MODELS
from controller.local.core.builtin_terms import META, TYPE_META, Schema, item, listing, model, ref

KIND_MODELS: dict[str, Schema] = {
    prefix + name: schema
    for prefix, models in {
        CORE: CORE_MODELS,
        EVENTS: EVENTS_MODELS,
        COORDINATION: COORDINATION_MODELS,
        RBAC: RBAC_MODELS,
        AUTHORIZATION: AUTHORIZATION_MODELS,
        AUTHENTICATION: AUTHENTICATION_MODELS,
        EXTENSIONS: EXTENSIONS_MODELS,
    }.items()
    for name, schema in models.items()
}
"""Models by their full OpenAPI name."""

LISTED = {
    "": (CORE, ("Namespace", "ConfigMap", "Secret", "ServiceAccount", "Event")),
    "events.k8s.io": (EVENTS, ("Event",)),
    "coordination.k8s.io": (COORDINATION, ("Lease",)),
    "rbac.authorization.k8s.io": (RBAC, ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")),
    "apiextensions.k8s.io": (EXTENSIONS, ("CustomResourceDefinition",)),
}
"""The stored kinds, by group: each has a list kind."""

KIND_MODELS |= {
    f"{prefix}{name}List": model(
        f"A list of {name} objects.",
        {
            **TYPE_META,
            "items": listing(item(prefix + name), "The objects."),
            "metadata": ref(META + "ListMeta", "Standard list metadata."),
        },
        "items",
    )
    for prefix, names in LISTED.values()
    for name in names
}

PREFIXES = {
    **{group: prefix for group, (prefix, _) in LISTED.items()},
    "authorization.k8s.io": AUTHORIZATION,
    "authentication.k8s.io": AUTHENTICATION,
}
"""Model name prefix of each built-in group."""

"""The custom kinds that the tests install: one namespaced with everything on, one plain cluster-scoped."""

from __future__ import annotations

import copy
from typing import Any

GROUP = "test.nxc.dev"
VERSION = "v1"
API_VERSION = f"{GROUP}/{VERSION}"

_CONDITION = {
    "type": "object",
    "required": ["type", "status"],
    "properties": {
        "type": {"type": "string", "maxLength": 64},
        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
        "reason": {"type": "string", "maxLength": 64},
        "message": {"type": "string", "maxLength": 4096},
        "observedGeneration": {"type": "integer", "format": "int64"},
        "lastTransitionTime": {"type": "string", "format": "date-time"},
    },
}

_SPEC: dict[str, Any] = {
    "type": "object",
    "description": "What the sprocket should be.",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 100, "description": "How big, in inches."},
        "colour": {"type": "string", "enum": ["red", "green", "blue"], "default": "red"},
        "replicas": {"type": "integer", "format": "int32", "minimum": 0, "default": 1},
        "low": {"type": "integer"},
        "high": {"type": "integer"},
        "serial": {
            "type": "string",
            "maxLength": 20,
            "pattern": "^[A-Z0-9-]*$",
            "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "serial is immutable"}],
        },
        "due": {"type": "string", "format": "date-time"},
        "limit": {"x-kubernetes-int-or-string": True},
        "note": {"type": "string", "nullable": True, "maxLength": 200},
        "parts": {
            "type": "array",
            "description": "What the sprocket is made of, by name.",
            "maxItems": 8,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": 20,
                        "description": "Unique in the sprocket.",
                    },
                    "count": {"type": "integer", "minimum": 0, "default": 1},
                    "note": {"type": "string", "maxLength": 40},
                },
            },
        },
        "tags": {
            "type": "array",
            "maxItems": 8,
            "x-kubernetes-list-type": "set",
            "items": {"type": "string", "maxLength": 20},
        },
        "steps": {"type": "array", "maxItems": 8, "items": {"type": "string", "maxLength": 20}},
        "options": {
            "type": "object",
            "maxProperties": 8,
            "additionalProperties": {"type": "string", "maxLength": 20},
        },
        "settings": {
            "type": "object",
            "x-kubernetes-map-type": "atomic",
            "properties": {"mode": {"type": "string"}, "level": {"type": "integer"}},
        },
        "anything": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
    "x-kubernetes-validations": [
        {
            "rule": "!has(self.low) || !has(self.high) || self.low <= self.high",
            "message": "low must not exceed high",
        }
    ],
}

_STATUS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "observedGeneration": {"type": "integer", "format": "int64"},
        "replicas": {"type": "integer"},
        "selector": {"type": "string"},
        "phase": {"type": "string", "maxLength": 20},
        "conditions": {
            "type": "array",
            "maxItems": 16,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
            "items": _CONDITION,
        },
    },
}

SPROCKETS: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"sprockets.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {
            "plural": "sprockets",
            "singular": "sprocket",
            "kind": "Sprocket",
            "listKind": "SprocketList",
            "shortNames": ["spk"],
            "categories": ["gadgetry"],
        },
        "versions": [
            {
                "name": VERSION,
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {
                        "specReplicasPath": ".spec.replicas",
                        "statusReplicasPath": ".status.replicas",
                        "labelSelectorPath": ".status.selector",
                    },
                },
                "selectableFields": [{"jsonPath": ".spec.colour"}],
                "additionalPrinterColumns": [
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                    {
                        "name": "Ready",
                        "type": "string",
                        "jsonPath": '.status.conditions[?(@.type=="Ready")].status',
                    },
                    {"name": "Due", "type": "date", "jsonPath": ".spec.due"},
                    {"name": "Colour", "type": "string", "jsonPath": ".spec.colour", "priority": 1},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "description": "A sprocket, for tests.",
                        "required": ["spec"],
                        "properties": {"spec": _SPEC, "status": _STATUS},
                    }
                },
            }
        ],
    },
}

PADDOCKS: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"paddocks.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Cluster",
        "names": {"plural": "paddocks", "singular": "paddock", "kind": "Paddock", "listKind": "PaddockList"},
        "versions": [
            {
                "name": VERSION,
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {"area": {"type": "integer"}, "name": {"type": "string"}},
                            }
                        },
                    }
                },
            }
        ],
    },
}


def sprocket(name: str, /, *, metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A Sprocket; `size` is 1 where nothing is said."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Sprocket",
        "metadata": {"name": name, **(metadata or {})},
        "spec": {"size": 1, **spec},
    }


def configmap(name: str, /, *, metadata: dict[str, Any] | None = None, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **(metadata or {})},
        "data": data,
    }


def definition(plural: str, kind: str, group: str, **properties: Any) -> dict[str, Any]:
    """A small namespaced CRD whose spec has these properties, for tests that change the CRD itself."""
    crd = copy.deepcopy(PADDOCKS)
    crd["metadata"]["name"] = f"{plural}.{group}"
    crd["spec"]["group"] = group
    crd["spec"]["scope"] = "Namespaced"
    crd["spec"]["names"] = {
        "plural": plural,
        "singular": kind.lower(),
        "kind": kind,
        "listKind": f"{kind}List",
    }
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"] = properties
    return crd

"""The subresource `scale` of custom resources: an autoscaling/v1 Scale that shows and sets one number.

Source: k8s.io/apiextensions-apiserver `pkg/registry/customresource/etcd.go` (ScaleREST).
"""

from __future__ import annotations

from typing import Any

from controller.local.core import errors, forms, patch
from controller.local.core.reads import Reader
from controller.local.core.request import JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, Request, Result
from controller.local.core.resources import Resource
from controller.local.core.scale_path import find, parts
from controller.local.core.storage import Object
from controller.local.core.writes import Writer

API_VERSION = "autoscaling/v1"
_SHOWN = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


class Scaler:
    """Answers get, update and patch of `scale`."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    def get(self, request: Request, resource: Resource) -> Result:
        return Result(scale(self._live(request, resource), resource))

    def write(self, request: Request, resource: Resource) -> Result:
        """Set the number of replicas, and only that."""
        live = self._live(request, resource)
        current = scale(live, resource)
        wanted = request.body if request.verb == "update" else _patched(current, request)
        replicas = _replicas(wanted, request.name)
        metadata = dict(live["metadata"])
        metadata["resourceVersion"] = wanted["metadata"].get("resourceVersion", "")
        obj = _with(live, parts(resource, "specReplicasPath"), replicas)
        written = self._writer.replace(request, resource, live, {**obj, "metadata": metadata})
        return Result(scale(written, resource))

    def _live(self, request: Request, resource: Resource) -> Object:
        return forms.shown(self._reader.find(resource, request.namespace, request.name), resource)


def scale(obj: Object, resource: Resource) -> Object:
    """The Scale of a custom resource. Raises ApiError 500 where it has no number of replicas."""
    wanted = find(obj, parts(resource, "specReplicasPath"))
    if wanted is None:
        where = (resource.scale or {})["specReplicasPath"]
        raise errors.internal(f"the spec replicas field {errors.quoted(where)} does not exist")
    status: dict[str, Any] = {"replicas": find(obj, parts(resource, "statusReplicasPath")) or 0}
    selector = find(obj, parts(resource, "labelSelectorPath"))
    if selector:
        status["selector"] = selector
    metadata = {key: obj["metadata"][key] for key in _SHOWN if key in obj["metadata"]}
    return {
        "kind": "Scale",
        "apiVersion": API_VERSION,
        "metadata": metadata,
        "spec": {"replicas": wanted} if wanted else {},
        "status": status,
    }


def _patched(current: Object, request: Request) -> Any:
    if request.patch_type == JSON_PATCH:
        return patch.json_patch(current, request.body)
    if request.patch_type in (MERGE_PATCH, STRATEGIC_MERGE_PATCH):  # no lists in a Scale: both do the same
        return patch.merge_patch(current, request.body)
    raise errors.unsupported_media_type([JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH])


def _replicas(wanted: Any, name: str) -> int:
    """The number in a Scale that a client sent; raises ApiError where it is no Scale of this object."""
    if not isinstance(wanted, dict) or wanted.get("kind", "Scale") != "Scale":
        raise errors.bad_request("the body is no Scale of autoscaling/v1")
    metadata, spec = wanted.setdefault("metadata", {}), wanted.get("spec") or {}
    if not isinstance(metadata, dict) or metadata.get("name", name) != name:
        raise errors.bad_request(f"the name of the object does not match the name on the URL ({name})")
    replicas = spec.get("replicas", 0) if isinstance(spec, dict) else None
    if type(replicas) is not int:
        raise errors.bad_request("json: cannot unmarshal spec.replicas into Go value of type int32")
    return replicas


def _with(obj: Object, path: list[str], value: Any) -> Object:
    """`obj` with `value` at `path`; what lies on the way is fresh."""
    first, *rest = path
    return {**obj, first: _with(obj.get(first) or {}, rest, value) if rest else value}

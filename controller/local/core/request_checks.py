"""What a write is refused for before it is looked at what it writes: its parameters, version and namespace."""

from __future__ import annotations

from controller.local.core import errors
from controller.local.core.errors import Cause
from controller.local.core.request import APPLY_PATCH, Request
from controller.local.core.resources import Resource
from controller.local.core.storage import Object


def check_number(version: str) -> None:
    """Raises ApiError 500, as the real server, for a resourceVersion that is none."""
    if not version.isdigit():
        raise errors.internal_plain(f"strconv.ParseUint: parsing {errors.quoted(version)}: invalid syntax")


def check_version_given(resource: Resource, metadata: Object, name: str) -> None:
    """A custom resource is replaced in a known version only; a patch keeps it unless it says otherwise."""
    if metadata.get("resourceVersion", "") in ("", "0") and not resource.unconditional_update:
        cause = errors.invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
        raise errors.invalid(resource.group, resource.plural, name, [cause])


def check_namespace(metadata: Object, namespace: str) -> None:
    """Raises ApiError 400 for an object of another namespace; what a cluster-scoped one says of it is overlooked."""
    if namespace and metadata.get("namespace", namespace) not in ("", namespace):
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def check_options(request: Request, kind: str) -> None:
    """Raises ApiError 422 for parameters that do not fit `kind` (CreateOptions, UpdateOptions, PatchOptions)."""
    causes: list[Cause] = []
    if kind == "PatchOptions":
        if request.patch_type == APPLY_PATCH:
            if not request.field_manager:
                causes.append(errors.required("fieldManager", "is required for apply patch"))
        elif request.force is not None:
            causes.append(errors.forbidden_value("force", "may not be specified for non-apply patch"))
    if len(request.field_manager) > 128:
        causes.append(errors.too_long("fieldManager", 128))
    if not request.field_manager.isprintable():
        causes.append(
            errors.invalid_value(
                "fieldManager", request.field_manager, "should only contain printable characters"
            )
        )
    if request.field_validation not in ("", "Ignore", "Strict", "Warn"):
        supported = ("", "Ignore", "Strict", "Warn")
        causes.append(errors.unsupported_value("fieldValidation", request.field_validation, supported))
    if causes:
        raise errors.invalid("meta.k8s.io", kind, "", causes)

"""Delete: at once, or as soon as the last finalizer is gone.

Source: k8s.io/apiserver `registry/generic/registry/store.go`; Kubernetes, "Garbage Collection" (policies).
"""

from __future__ import annotations

from typing import Any

from controller.local.core import errors, forms
from controller.local.core.errors import Cause
from controller.local.core.lifecycle import FOREGROUND, ORPHAN, terminating
from controller.local.core.reads import Reader
from controller.local.core.request import Preconditions, Request, Result
from controller.local.core.resources import Resource
from controller.local.core.storage import Object, Storage, Write
from controller.local.core.writes import Writer

POLICIES = ("Foreground", "Background", "Orphan")


class Remover:
    """Answers delete and deletecollection."""

    def __init__(self, storage: Storage, reader: Reader, writer: Writer) -> None:
        self._storage = storage
        self._reader = reader
        self._writer = writer

    def delete(self, request: Request, resource: Resource) -> Result:
        """The `Status` of a completed delete, or the object that is now terminating."""
        options = DeleteOptions(request)
        live = self._reader.find(resource, request.namespace, request.name)
        self._writer.strategy(resource).may_delete(live)
        options.check_preconditions(resource, live)
        left = self.remove(resource, live, options)
        if left is None:
            status = errors.success(resource.group, resource.plural, request.name, live["metadata"]["uid"])
            return Result(status)
        code = 202 if options.orphan_dependents is False else 200
        return Result(forms.shown(left, resource), code)

    def delete_collection(self, request: Request, resource: Resource) -> Result:
        """Delete what a list with the same selectors finds, and answer with that list."""
        options = DeleteOptions(request)
        found = self._reader.list(request, resource)
        for obj in found["items"]:
            metadata = obj["metadata"]
            live = self._storage.get(resource.storage, metadata.get("namespace", ""), metadata["name"])
            if live is not None:
                self._writer.strategy(resource).may_delete(live)
                self.remove(resource, live, options)
        return Result(found)

    def remove(self, resource: Resource, live: Object, options: DeleteOptions) -> Object | None:
        """Delete a stored object. Returns it as terminating if it has to wait, None if it is gone."""
        metadata = live["metadata"]
        strategy = self._writer.strategy(resource)
        present = metadata.get("finalizers", [])
        wanted = options.finalizers(present)
        if not wanted and not present and not strategy.holds(live):
            if not options.dry_run:
                self._storage.commit([Write.drop(resource.storage, live)])
            return None
        if terminating(metadata) and wanted == present:
            return live
        obj = strategy.marked(live, self._writer.now(), wanted)
        if not wanted and not strategy.holds(obj):
            if not options.dry_run:
                self._storage.commit([Write.drop(resource.storage, live)])
            return None
        if not options.dry_run:
            (change,) = self._storage.commit([Write.put(resource.storage, obj)])
            return change.object
        return obj


class DeleteOptions:
    """How to delete: what the body says, the parameters where there is none, else the kind's default (Background).

    As on the real server a body makes the parameters void, but for a dry run, for which one may ask either way.
    """

    def __init__(self, request: Request) -> None:
        body = request.body if isinstance(request.body, dict) else {}
        self.policy = request.propagation_policy
        self.orphan_dependents = request.orphan_dependents
        self.preconditions = request.preconditions
        if body:
            self.policy = body.get("propagationPolicy") or ""
            self.orphan_dependents = body.get("orphanDependents")
            self.preconditions = _preconditions(body.get("preconditions"))
        self.dry_run = request.dry_run or bool(body.get("dryRun"))
        causes: list[Cause] = []
        if self.policy and self.orphan_dependents is not None:
            detail = "orphanDependents and deletionPropagation cannot be both set"
            causes.append(errors.invalid_value("propagationPolicy", self.policy, detail))
        elif self.policy and self.policy not in POLICIES:
            supported = (*POLICIES, "nil")
            causes.append(errors.unsupported_value("propagationPolicy", self.policy, supported))
        stages = body.get("dryRun") or ["All"]
        if stages != ["All"]:
            causes.append(errors.unsupported_value("dryRun", stages, ["All"]))
        if causes:
            raise errors.invalid("meta.k8s.io", "DeleteOptions", "", causes)

    def check_preconditions(self, resource: Resource, live: Object) -> None:
        metadata, wanted = live["metadata"], self.preconditions
        if wanted is None:
            return
        version = metadata["resourceVersion"]
        message = ""
        if wanted.uid and wanted.uid != metadata["uid"]:
            message = (
                f"the UID in the precondition ({wanted.uid}) does not match the UID in record "
                f"({metadata['uid']}). The object might have been deleted and then recreated"
            )
        elif wanted.resource_version and wanted.resource_version != version:
            message = (
                f"the ResourceVersion in the precondition ({wanted.resource_version}) does not match "
                f"the ResourceVersion in record ({version}). The object might have been modified"
            )
        if message:
            raise errors.conflict(resource.group, resource.kind, metadata["name"], message)

    def finalizers(self, present: list[str]) -> list[str]:
        """The finalizers that the object is to have: the policy decides on those of garbage collection."""
        if self.policy:
            orphan, foreground = self.policy == "Orphan", self.policy == "Foreground"
        elif self.orphan_dependents is not None:
            orphan, foreground = self.orphan_dependents, False
        else:
            orphan, foreground = ORPHAN in present, FOREGROUND in present and ORPHAN not in present
        wanted = [
            finalizer
            for finalizer in present
            if (finalizer != ORPHAN or orphan) and (finalizer != FOREGROUND or foreground)
        ]
        if orphan and ORPHAN not in wanted:
            wanted.append(ORPHAN)
        if foreground and FOREGROUND not in wanted:
            wanted.append(FOREGROUND)
        return wanted


def _preconditions(body: Any) -> Preconditions | None:
    if not isinstance(body, dict):
        return None
    return Preconditions(str(body.get("uid") or ""), str(body.get("resourceVersion") or ""))

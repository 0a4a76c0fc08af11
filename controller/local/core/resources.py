"""What the API serves: one `Resource` for each group, version and plural, and the registry of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from controller.local.core.schema import Structural

StorageKey = tuple[str, str]
"""(group, plural)."""
ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
CREATE_ONLY = ("create",)


@dataclass(frozen=True, slots=True)
class PrinterColumn:
    """One column of `kubectl get`, as a CRD's `additionalPrinterColumns` states it."""

    name: str
    type: str
    json_path: str
    description: str = ""
    format: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Resource:
    """One served resource in one version.

    `storage` is the (group, plural) under which objects are kept: all versions of one resource share it, and
    events.k8s.io events are core events in another form. `storage_version` is the apiVersion of what is kept.
    `schema` is the compiled structural schema (None: not checked), `openapi` the schema as it was written.
    """

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    list_kind: str
    namespaced: bool
    storage: StorageKey
    storage_version: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[str, ...] = ()
    """Of "status", "scale", "finalize", "token"."""
    custom: bool = False
    schema: Structural | None = None
    openapi: dict[str, Any] | None = None
    columns: tuple[PrinterColumn, ...] = ()
    selectable_fields: tuple[str, ...] = ()
    """Dotted paths without the leading dot: `spec.flavour`, `involvedObject.name`."""
    preserve_unknown: bool = False
    scale: dict[str, str] | None = None
    """The CRD's `subresources.scale`: specReplicasPath, statusReplicasPath, labelSelectorPath."""
    stored: bool = True
    """False for reviews: they are answered and forgotten."""
    generations: bool = False
    """Whether metadata.generation counts changes of the spec."""
    unconditional_update: bool = True
    """Whether a PUT may leave out metadata.resourceVersion."""
    create_on_update: bool = False
    """Whether a PUT or a patch of an absent object creates it (server-side apply always does)."""
    deprecation_warning: str = ""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`deployments.nxc.dev`, the name that messages use."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources


def _builtin(
    group: str,
    plural: str,
    kind: str,
    *,
    version: str = "v1",
    singular: str = "",
    namespaced: bool = True,
    storage: StorageKey | None = None,
    storage_version: str = "",
    short_names: tuple[str, ...] = (),
    categories: tuple[str, ...] = (),
    verbs: tuple[str, ...] = ALL_VERBS,
    subresources: tuple[str, ...] = (),
    selectable_fields: tuple[str, ...] = (),
    stored: bool = True,
    generations: bool = False,
    unconditional_update: bool = True,
    create_on_update: bool = False,
) -> Resource:
    return Resource(
        group=group,
        version=version,
        plural=plural,
        singular=singular or kind.lower(),
        kind=kind,
        list_kind=f"{kind}List",
        namespaced=namespaced,
        storage=storage or (group, plural),
        storage_version=storage_version or (f"{group}/{version}" if group else version),
        short_names=short_names,
        categories=categories,
        verbs=verbs,
        subresources=subresources,
        selectable_fields=selectable_fields,
        stored=stored,
        generations=generations,
        unconditional_update=unconditional_update,
        create_on_update=create_on_update,
    )


def _review(group: str, plural: str, kind: str, *, namespaced: bool = False) -> Resource:
    return _builtin(group, plural, kind, namespaced=namespaced, verbs=CREATE_ONLY, stored=False)


RBAC = "rbac.authorization.k8s.io"
AUTHORIZATION = "authorization.k8s.io"
AUTHENTICATION = "authentication.k8s.io"
APIEXTENSIONS = "apiextensions.k8s.io"
COORDINATION = "coordination.k8s.io"
EVENTS = "events.k8s.io"

NAMESPACES = _builtin(
    "",
    "namespaces",
    "Namespace",
    namespaced=False,
    short_names=("ns",),
    verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
    subresources=("status", "finalize"),
    selectable_fields=("status.phase",),
)
CUSTOM_RESOURCE_DEFINITIONS = _builtin(
    APIEXTENSIONS,
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    subresources=("status",),
    generations=True,
    unconditional_update=False,
)
CORE_EVENTS = _builtin(
    "",
    "events",
    "Event",
    short_names=("ev",),
    selectable_fields=(
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    create_on_update=True,
)

BUILTIN: tuple[Resource, ...] = (
    NAMESPACES,
    _builtin("", "configmaps", "ConfigMap", short_names=("cm",)),
    _builtin("", "secrets", "Secret", selectable_fields=("type",)),
    _builtin("", "serviceaccounts", "ServiceAccount", short_names=("sa",), subresources=("token",)),
    CORE_EVENTS,
    _builtin(
        EVENTS,
        "events",
        "Event",
        storage=("", "events"),
        storage_version="v1",
        short_names=("ev",),
        selectable_fields=tuple(
            field.replace("involvedObject", "regarding").replace("reportingComponent", "reportingController")
            for field in CORE_EVENTS.selectable_fields
        ),
        create_on_update=True,
    ),
    _builtin(COORDINATION, "leases", "Lease", unconditional_update=False, create_on_update=True),
    _builtin(RBAC, "roles", "Role", create_on_update=True),
    _builtin(RBAC, "rolebindings", "RoleBinding", create_on_update=True),
    _builtin(RBAC, "clusterroles", "ClusterRole", namespaced=False, create_on_update=True),
    _builtin(RBAC, "clusterrolebindings", "ClusterRoleBinding", namespaced=False, create_on_update=True),
    _review(AUTHORIZATION, "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    _review(AUTHORIZATION, "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    _review(AUTHORIZATION, "subjectaccessreviews", "SubjectAccessReview"),
    _review(AUTHORIZATION, "localsubjectaccessreviews", "LocalSubjectAccessReview", namespaced=True),
    _review(AUTHENTICATION, "tokenreviews", "TokenReview"),
    _review(AUTHENTICATION, "selfsubjectreviews", "SelfSubjectReview"),
    CUSTOM_RESOURCE_DEFINITIONS,
)


class Registry:
    """All served resources. `revision` grows with every change, so that discovery may be cached by it."""

    def __init__(self, resources: Iterable[Resource] = BUILTIN) -> None:
        self._resources: dict[tuple[str, str, str], Resource] = {}
        self._kinds: dict[tuple[str, str, str], Resource] = {}
        self._serving: dict[StorageKey, Resource | None] = {}
        self.revision = 0
        for resource in resources:
            self.add(resource)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._resources.values())

    def add(self, resource: Resource) -> None:
        """Serve a resource; one with the same group, version and plural is replaced."""
        key = (resource.group, resource.version, resource.plural)
        old = self._resources.get(key)
        if old is not None:
            self._kinds.pop((old.group, old.version, old.kind), None)
        self._resources[key] = resource
        self._kinds[resource.group, resource.version, resource.kind] = resource
        self._serving.clear()
        self.revision += 1

    def remove(self, resource: Resource) -> None:
        self._resources.pop((resource.group, resource.version, resource.plural), None)
        self._kinds.pop((resource.group, resource.version, resource.kind), None)
        self._serving.clear()
        self.revision += 1

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        return self._resources.get((group, version, plural))

    def by_kind(self, group: str, version: str, kind: str) -> Resource | None:
        return self._kinds.get((group, version, kind))

    def by_api_version(self, api_version: str, kind: str) -> Resource | None:
        """As an ownerReference or a manifest names it: `nxc.dev/v1alpha1`, `Deployment`."""
        group, _, version = api_version.rpartition("/")
        return self._kinds.get((group, version, kind))

    def versions(self, group: str) -> list[str]:
        """The group's versions, the preferred one first."""
        found = {resource.version for resource in self if resource.group == group}
        return sorted(found, key=version_priority)

    def groups(self) -> list[str]:
        """All groups, the core group ("") first, the others by name."""
        return sorted({resource.group for resource in self})

    def of_storage(self, storage: StorageKey) -> list[Resource]:
        """Every served version of what is kept under one key, the preferred first."""
        return sorted(
            (resource for resource in self if resource.storage == storage),
            key=lambda resource: (resource.group, version_priority(resource.version)),
        )

    def serving(self, storage: StorageKey) -> Resource | None:
        """The preferred served version of what is kept under one key."""
        if storage not in self._serving:
            self._serving[storage] = next(iter(self.of_storage(storage)), None)
        return self._serving[storage]

    def of_group(self, group: str, version: str) -> list[Resource]:
        """The resources of one group version by plural, as discovery lists them."""
        return sorted((r for r in self if r.group == group and r.version == version), key=lambda r: r.plural)


def version_priority(version: str) -> tuple[int, int, int, str]:
    """Sort key: v2 before v1, v1 before v1beta2, v1beta2 before v1alpha1, all else last by name.

    Source: k8s.io/apimachinery/pkg/version CompareKubeAwareVersionStrings.
    """
    stage, major, minor = _parse_version(version)
    return (-stage, -major, -minor, version)


def _parse_version(version: str) -> tuple[int, int, int]:
    for stage, word in ((2, "beta"), (1, "alpha")):
        head, separator, tail = version.partition(word)
        if separator and head[:1] == "v" and head[1:].isdigit() and tail.isdigit():
            return stage, int(head[1:]), int(tail)
    if version[:1] == "v" and version[1:].isdigit():
        return 3, int(version[1:]), 0
    return 0, 0, 0

"""Random sequences of calls: mostly sensible, often wrong in one place."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.local.differential.calls import (
    APPLY_PATCH,
    JSON_PATCH,
    MERGE_PATCH,
    REMOVED,
    STRATEGIC_PATCH,
    TABLE,
    UNKNOWN_UID,
    Call,
    Edited,
    Kind,
    Known,
)
from tests.local.scratch import API_VERSION

SPROCKETS = Kind(API_VERSION, "sprockets", "Sprocket")
PADDOCKS = Kind(API_VERSION, "paddocks", "Paddock", namespaced=False)
CONFIGMAPS = Kind("v1", "configmaps", "ConfigMap")
SECRETS = Kind("v1", "secrets", "Secret")
LEASES = Kind("coordination.k8s.io/v1", "leases", "Lease")
ROLES = Kind("rbac.authorization.k8s.io/v1", "roles", "Role")
ROLE_BINDINGS = Kind("rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding")
EVERY_KIND = (SPROCKETS, PADDOCKS, CONFIGMAPS, SECRETS, LEASES, ROLES, ROLE_BINDINGS)

WATCHED_EVERY = 10
"""Each watch takes a second; so not every sequence ends with one."""
NAMES = ("a", "b", "c")
MANAGERS = ("alice", "bob")

_WRONG = ("", "x", 0, -1, 1.5, True, None, [], {}, [1], {"x": 1}, "y" * 300)


class Draw:
    """A seeded source of calls for one sequence."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.seed = seed
        self.prefix = f"d{seed}-"
        """Of cluster-scoped names, which no namespace keeps apart."""

    def sequence(self, length: int) -> list[Call]:
        theme = self.dice.choices((self._custom, self._core, self._owners, self._cluster), (6, 3, 2, 1))[0]
        calls = theme(length)
        kind = calls[0].kind
        if (
            self.seed % WATCHED_EVERY == 0
            and theme != self._owners
            and kind is not SECRETS
            and kind.namespaced
        ):
            calls.append(self._watch(kind))
        return calls

    def _watch(self, kind: Kind) -> Call:
        """All that happened to a kind since its first object."""
        parameters = {"watch": "true", "timeoutSeconds": "1", "resourceVersion": Known("first", kind.plural)}
        if self.dice.random() < 0.5:
            parameters["labelSelector"] = self.dice.choice(("app=x", "app!=x", "app"))
        return Call("GET", kind, parameters=parameters, watches=True)

    # ------------------------------------------------------------ themes

    def _custom(self, length: int) -> list[Call]:
        return self._mixed(length, (SPROCKETS,))

    def _core(self, length: int) -> list[Call]:
        return self._mixed(length, (self.dice.choice((CONFIGMAPS, SECRETS, LEASES, ROLES, ROLE_BINDINGS)),))

    def _cluster(self, length: int) -> list[Call]:
        return self._mixed(length, (PADDOCKS,))

    def _mixed(self, length: int, kinds: tuple[Kind, ...]) -> list[Call]:
        drawn = [self._create(self.dice.choice(kinds))]
        while len(drawn) < length:
            drawn.append(self._any(self.dice.choice(kinds)))
        return drawn

    def _owners(self, length: int) -> list[Call]:
        """Parents and children, deleted in every way, with the background given time."""
        drawn = [Call("POST", SPROCKETS, body=self._good(SPROCKETS, name)) for name in NAMES[:2]]
        while len(drawn) < length:
            kind = self.dice.choice((SPROCKETS, CONFIGMAPS))
            if self.dice.random() < 0.5:
                body = self._good(kind, self.dice.choice(("c", "d", "e")))
                owners = self.dice.sample(("a", "b"), self.dice.choice((1, 1, 2)))
                body["metadata"]["ownerReferences"] = [self._reference(owner) for owner in owners]
                if self.dice.random() < 0.2:
                    body["metadata"]["finalizers"] = ["test.nxc.dev/hold"]
                drawn.append(Call("POST", kind, body=body, settle=True))
            else:
                call = self._delete(kind, self.dice.choice((*NAMES, "d", "e")))
                drawn.append(call)
            if self.dice.random() < 0.2:
                name = self.dice.choice(("c", "d", "e"))
                free = {"metadata": {"finalizers": None}}
                drawn.append(Call("PATCH", kind, name, body=free, content_type=MERGE_PATCH, settle=True))
        return drawn[:length]

    def _reference(self, owner: str) -> dict[str, Any]:
        reference: dict[str, Any] = {
            "apiVersion": API_VERSION,
            "kind": "Sprocket",
            "name": owner,
            "uid": Known("uid", f"sprockets/{owner}"),
        }
        if self.dice.random() < 0.4:
            reference["blockOwnerDeletion"] = self.dice.random() < 0.8
        if self.dice.random() < 0.2:
            reference["controller"] = True
        return reference

    # ------------------------------------------------------------ calls

    def _any(self, kind: Kind) -> Call:
        choices: list[tuple[Callable[[Kind], Call], int]] = [
            (self._create, 10),
            (self._get, 5),
            (self._list, 6),
            (self._update, 10),
            (self._json_patch, 7),
            (self._merge_patch, 10),
            (self._apply, 14 if kind is not ROLE_BINDINGS else 0),  # an old core has roleRef in parts
            (self._delete, 6),
            (self._delete_collection, 1),
            (self._nonsense, 4),
        ]
        if kind is SPROCKETS:
            choices += [(self._status, 8), (self._scale, 3)]
        if kind not in (SPROCKETS, PADDOCKS):
            choices += [(self._strategic_patch, 7)]
        made, weights = zip(*choices, strict=True)
        return self.dice.choices(made, weights)[0](kind)

    def _create(self, kind: Kind) -> Call:
        body = self._body(kind, self._name(kind))
        if self.dice.random() < 0.1:
            body["metadata"].pop("name", None)
            body["metadata"]["generateName"] = self.dice.choice(("gen-", "gen-", "gen-", "Bad-", "gen."))
        parameters = self._write_parameters(kind)
        if "resourceVersion" in body["metadata"]:
            parameters.pop("dryRun", None)  # the real server looks at the version only when it stores
        return Call("POST", kind, parameters=parameters, body=body)

    def _get(self, kind: Kind) -> Call:
        accept = TABLE if self.dice.random() < 0.3 else "application/json"
        return Call("GET", kind, self._name(kind), accept=accept)

    def _list(self, kind: Kind) -> Call:
        parameters: dict[str, Any] = {}
        if self.dice.random() < 0.35:
            parameters["labelSelector"] = self.dice.choice(
                (
                    "app=x",
                    "app!=x",
                    "app",
                    "!app",
                    "app in (x,y)",
                    "app notin (x)",
                    "app=x,tier",
                    "a=b=c",
                    "in (",
                    "x y",
                    "app==y",
                    "app>1",
                    "-bad=x",
                    "app=,tier",
                )
            )
        if self.dice.random() < 0.35:
            parameters["fieldSelector"] = self.dice.choice(
                (
                    "metadata.name=a",
                    "metadata.name!=a",
                    "metadata.namespace=<namespace>",
                    "metadata.name=a,metadata.name=b",
                    "spec.colour=red",
                    "spec.colour!=red",
                    "spec.size=1",
                    "metadata.uid=1",
                    "nonsense",
                    "=",
                    "type=Opaque",
                    "metadata.name==b",
                )
            )
        if kind is not SECRETS and self.dice.random() < 0.3:  # an old core has Secrets of its own
            parameters["limit"] = self.dice.choice((1, 2, 500, 0, -1, "x"))
            if "fieldSelector" not in parameters and self.dice.random() < 0.5:
                parameters["continue"] = Known("continue", kind.plural)
        if self.dice.random() < 0.15:
            parameters["resourceVersion"] = self.dice.choice(
                ("0", "", "x", Known("resourceVersion", f"{kind.plural}/a"))
            )
            if self.dice.random() < 0.5:
                parameters["resourceVersionMatch"] = self.dice.choice(("NotOlderThan", "Exact", "Nonsense"))
        if not kind.namespaced:
            parameters["labelSelector"] = f"sequence={self.seed}"
            parameters.pop("fieldSelector", None)
            parameters.pop("resourceVersion", None)
            parameters.pop("resourceVersionMatch", None)
        accept = TABLE if self.dice.random() < 0.3 else "application/json"
        return Call("GET", kind, parameters=parameters, accept=accept)

    def _update(self, kind: Kind, subresource: str = "") -> Call:
        name = self._name(kind)
        changes = [self._change(kind) for _ in range(self.dice.choice((0, 1, 1, 2)))]
        if self.dice.random() < 0.3:
            changes.append((("metadata", "resourceVersion"), self._version(kind)))
        if self.dice.random() < 0.1:
            changes.append(self._bad_metadata())
        if kind not in (SPROCKETS, PADDOCKS):  # an old core calls a conflict what is not there
            changes.append((("metadata", "uid"), REMOVED))
        body = Edited(f"{kind.plural}/{name}", self._good(kind, name), tuple(changes))
        return Call("PUT", kind, name, subresource, self._write_parameters(kind), body)

    def _json_patch(self, kind: Kind, subresource: str = "") -> Call:
        operations = [self._operation(kind, subresource) for _ in range(self.dice.choice((1, 1, 2, 3)))]
        if self.dice.random() < 0.05:
            operations = self.dice.choice(([], {}, [{"op": "test", "path": "/x", "value": 1}], ["x"]))  # type: ignore[assignment]
        return Call(
            "PATCH", kind, self._name(kind), subresource, self._write_parameters(kind), operations, JSON_PATCH
        )

    def _merge_patch(self, kind: Kind, subresource: str = "") -> Call:
        body = self._partial(kind)
        if self.dice.random() < 0.2:
            metadata = body.get("metadata")
            known = metadata if isinstance(metadata, dict) else {}
            body["metadata"] = {**known, "resourceVersion": self._version(kind)}
        return Call(
            "PATCH", kind, self._name(kind), subresource, self._write_parameters(kind), body, MERGE_PATCH
        )

    def _strategic_patch(self, kind: Kind) -> Call:
        body = self._partial(kind)
        body.pop("metadata", None)  # an old core keeps what is taken from an absent map
        if self.dice.random() < 0.4:
            body.setdefault("metadata", {}).update(
                self.dice.choice(
                    (
                        {"finalizers": ["x.io/a"]},
                        {"finalizers": ["x.io/b", "x.io/a"]},
                        {"$setElementOrder/finalizers": ["x.io/b", "x.io/a"], "finalizers": ["x.io/b"]},
                        {"labels": {"$patch": "replace", "only": "this"}},
                        {"$retainKeys": ["name"]},
                        {"finalizers": None},
                    )
                )
            )
        return Call("PATCH", kind, self._name(kind), "", self._write_parameters(kind), body, STRATEGIC_PATCH)

    def _apply(self, kind: Kind, subresource: str = "") -> Call:
        name = self._name(kind)
        body = self._body(kind, name, sparse=True)
        if subresource:
            body = {**self._identity(kind, name), "status": self._status_value()}
        for odd in ("deletionTimestamp", "selfLink"):  # an apply that creates keeps them on the real server
            body["metadata"].pop(odd, None)
        if self.dice.random() < 0.03:
            body["metadata"]["managedFields"] = [{}]
        parameters = self._write_parameters(kind, manager=0.95)
        parameters.pop("fieldValidation", None)
        if self.dice.random() < 0.4:
            parameters["force"] = self.dice.choice(("true", "true", "false"))
        return Call("PATCH", kind, name, subresource, parameters, body, APPLY_PATCH)

    def _status(self, kind: Kind) -> Call:
        made = self.dice.choice((self._update, self._merge_patch, self._json_patch, self._apply))
        if made == self._merge_patch:
            body: dict[str, Any] = {"status": self._status_value()}
            if self.dice.random() < 0.3:
                body["spec"] = {"size": 7}
            if self.dice.random() < 0.3:
                body["metadata"] = {"labels": {"from": "status"}}
            return Call(
                "PATCH", kind, self._name(kind), "status", self._write_parameters(kind), body, MERGE_PATCH
            )
        if made == self._update:
            name = self._name(kind)
            changes: list[tuple[tuple[str, ...], Any]] = [(("status",), self._status_value())]
            if self.dice.random() < 0.3:
                changes.append(self._change(kind))
            body_edited = Edited(f"{kind.plural}/{name}", self._good(kind, name), tuple(changes))
            return Call("PUT", kind, name, "status", self._write_parameters(kind), body_edited)
        return made(kind, "status")  # type: ignore[call-arg]

    def _scale(self, kind: Kind) -> Call:
        name = self._name(kind)
        if self.dice.random() < 0.4:
            return Call("GET", kind, name, "scale")
        body = {"spec": {"replicas": self.dice.choice((self.dice.randint(4, 99), -1))}}
        return Call("PATCH", kind, name, "scale", self._write_parameters(kind), body, MERGE_PATCH)

    def _delete(self, kind: Kind, name: str = "") -> Call:
        name = name or self._name(kind)
        options: dict[str, Any] = {}
        if self.dice.random() < 0.5:
            options["propagationPolicy"] = self.dice.choice(
                ("Background", "Foreground", "Orphan", "Background", "Nonsense")
            )
        if self.dice.random() < 0.15:
            options["preconditions"] = self.dice.choice(
                (
                    {"uid": UNKNOWN_UID},
                    {"uid": Known("uid", f"{kind.plural}/{name}")},
                    {"resourceVersion": Known("resourceVersion", f"{kind.plural}/{name}")},
                    {"resourceVersion": "1"},
                )
            )
        if self.dice.random() < 0.15:
            options["dryRun"] = self.dice.choice((["All"], ["All"], ["Some"]))
        if self.dice.random() < 0.1:
            options["gracePeriodSeconds"] = self.dice.choice((0, 30, -1))
        parameters = {}
        if options and self.dice.random() < 0.3:
            parameters = {"propagationPolicy": self.dice.choice(("Background", "Orphan"))}
        if options:
            options = {"kind": "DeleteOptions", "apiVersion": "v1", **options}
        return Call("DELETE", kind, name, parameters=parameters, body=options or None, settle=True)

    def _delete_collection(self, kind: Kind) -> Call:
        selector = f"sequence={self.seed}" if not kind.namespaced else self.dice.choice(("app=x", "app"))
        return Call("DELETE", kind, parameters={"labelSelector": selector}, settle=True)

    def _nonsense(self, kind: Kind) -> Call:
        name = self._name(kind)
        good = self._good(kind, name)
        return self.dice.choice(
            (
                Call("POST", kind, body="{"),
                Call("POST", kind, body=""),
                Call("POST", kind, body="[]"),
                Call("POST", kind, body="null"),
                Call("POST", kind, body='"text"'),
                Call("POST", kind, body={**good, "kind": "Other"}),
                Call("POST", kind, body={**good, "apiVersion": "other/v1"}),
                Call("POST", kind, body={key: value for key, value in good.items() if key != "kind"}),
                Call("POST", kind, body={key: value for key, value in good.items() if key != "metadata"}),
                Call("POST", kind, body={**good, "metadata": {**good["metadata"], "namespace": "elsewhere"}}),
                Call("POST", kind, body=good, content_type="text/plain"),
                Call("PUT", kind, name, body={**good, "metadata": {**good["metadata"], "name": "other"}}),
                Call("PUT", kind, name, body="{}"),
                Call("PATCH", kind, name, body={}, content_type="application/json"),
                Call("PATCH", kind, name, body="{", content_type=MERGE_PATCH),
                Call("PATCH", kind, name, body="[]", content_type=MERGE_PATCH),
                Call("PATCH", kind, name, body="{", content_type=JSON_PATCH),
                Call("PATCH", kind, name, body="{}", content_type=JSON_PATCH),
                Call("PATCH", kind, name, body=good, content_type=APPLY_PATCH),
                Call(
                    "PATCH",
                    kind,
                    name,
                    body=": :",
                    content_type=APPLY_PATCH,
                    parameters={"fieldManager": "x"},
                ),
                Call("PATCH", kind, name, body={"metadata": {"name": "other"}}, content_type=MERGE_PATCH),
                Call("PATCH", kind, name, body={"kind": "Other"}, content_type=MERGE_PATCH),
                Call("PATCH", kind, name, body={"apiVersion": "v7"}, content_type=MERGE_PATCH),
                Call("PATCH", kind, name, body={}, content_type=MERGE_PATCH, parameters={"force": "true"}),
                Call("GET", kind, name, "nothing"),
                Call("GET", kind, "UPPER"),
                Call("GET", kind, name, accept="text/html"),
                Call("GET", kind, name, parameters={"resourceVersion": "x"}),
                Call("DELETE", kind, name, body="{", settle=True),
                Call("DELETE", kind, name, parameters={"gracePeriodSeconds": "x"}, settle=True),
                Call("POST", kind, body=good, parameters={"dryRun": "Some"}),
                Call(
                    "POST", SPROCKETS, body=self._good(SPROCKETS, "a"), parameters={"fieldValidation": "Some"}
                ),
                Call("POST", kind, body=good, parameters={"fieldManager": "x" * 129}),
                Call("GET", kind, parameters={"limit": "-1"} if kind.namespaced else {"limit": "x"}),
            )
        )

    # ------------------------------------------------------------ parameters and bodies

    def _name(self, kind: Kind) -> str:
        name = self.dice.choices(NAMES, (6, 3, 1))[0]
        return name if kind.namespaced else self.prefix + name

    def _version(self, kind: Kind) -> Any:
        name = self._name(kind)
        return self.dice.choice(
            ("", "0", "1", "x", Known("resourceVersion", f"{kind.plural}/{name}"), REMOVED)
        )

    def _write_parameters(self, kind: Kind, manager: float = 0.4) -> dict[str, Any]:
        parameters: dict[str, Any] = {}
        if self.dice.random() < manager:
            parameters["fieldManager"] = self.dice.choice(MANAGERS)
        if self.dice.random() < 0.1:
            parameters["dryRun"] = "All"
        if kind in (SPROCKETS, PADDOCKS) and self.dice.random() < 0.3:
            parameters["fieldValidation"] = self.dice.choice(("Strict", "Warn", "Ignore"))
        return parameters

    def _identity(self, kind: Kind, name: str) -> dict[str, Any]:
        return {"apiVersion": kind.api, "kind": kind.kind, "metadata": {"name": name}}

    def _good(self, kind: Kind, name: str) -> dict[str, Any]:
        """A valid object."""
        return {
            **self._identity(kind, name),
            **self._content(kind, wrong=0.0),
            "metadata": self._metadata(kind, name),
        }

    def _body(self, kind: Kind, name: str, *, sparse: bool = False) -> dict[str, Any]:
        """An object that is wrong in one place now and then."""
        custom = kind in (SPROCKETS, PADDOCKS)
        wrong = 0.04 if custom or not sparse else 0.0  # an old core looks at conflicts before types
        body = {**self._identity(kind, name), **self._content(kind, wrong=wrong, sparse=sparse)}
        if sparse:
            if not custom and "data" in body:  # an old core thinks that nobody owns an empty text
                body["data"] = {key: value or "MQ==" for key, value in body["data"].items()}
            body.pop("stringData", None)
            body.pop("binaryData", None)
        body["metadata"] = self._metadata(kind, name)
        if self.dice.random() < 0.12:
            (_, key), value = self._bad_metadata()
            body["metadata"][key] = value
        if self.dice.random() < 0.05:
            body[self.dice.choice(("extra", "Spec", "status"))] = {"x": 1}
        if sparse and kind is SPROCKETS and self.dice.random() < 0.15:
            body.pop("spec", None)
        return body

    def _metadata(self, kind: Kind, name: str) -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": name}
        if self.dice.random() < 0.4:
            metadata["labels"] = {"app": self.dice.choice("xyz")}
        if not kind.namespaced:
            metadata.setdefault("labels", {})["sequence"] = str(self.seed)
        if self.dice.random() < 0.2:
            metadata["annotations"] = {"note": self.dice.choice(("one", "two", ""))}
        if self.dice.random() < 0.1:
            metadata["finalizers"] = self.dice.choice(
                (["x.io/a"], ["x.io/a", "x.io/b"], *([["x.io/a", "x.io/a"]] if kind is SPROCKETS else []))
            )
        if self.dice.random() < 0.05:
            metadata["creationTimestamp"] = None
        return metadata

    def _bad_metadata(self) -> tuple[tuple[str, ...], Any]:
        return self.dice.choice(
            (
                (("metadata", "labels"), {"app": "no blanks"}),
                (("metadata", "labels"), {"-x": "y"}),
                (("metadata", "labels"), {"app": 1}),
                (("metadata", "labels"), {}),
                (("metadata", "labels"), None),
                (("metadata", "labels"), ["x"]),
                (("metadata", "annotations"), {"a b": "y"}),
                (("metadata", "annotations"), {"a": None}),
                (("metadata", "annotations"), {}),
                (("metadata", "finalizers"), ["no slash"]),
                (("metadata", "finalizers"), ["unqualified"]),
                (("metadata", "finalizers"), []),
                (("metadata", "finalizers"), "x"),
                (("metadata", "name"), "Upper"),
                (("metadata", "name"), ""),
                (("metadata", "namespace"), "<namespace>"),
                (("metadata", "uid"), UNKNOWN_UID),
                (("metadata", "generation"), 77),
                (("metadata", "generation"), "x"),
                (("metadata", "creationTimestamp"), "2001-01-01T00:00:00Z"),
                (("metadata", "deletionTimestamp"), "2001-01-01T00:00:00Z"),
                (("metadata", "ownerReferences"), [{"apiVersion": "v1", "kind": "X", "name": "x"}]),
                (("metadata", "ownerReferences"), [{"kind": "X", "name": "x", "uid": "u"}]),
                (("metadata", "managedFields"), []),
                (("metadata", "selfLink"), "/x"),
                (("metadata", "nonsense"), "x"),
                (("metadata", "resourceVersion"), "1"),
                (("metadata", "generateName"), "gen-"),
            )
        )

    def _content(self, kind: Kind, *, wrong: float, sparse: bool = False) -> dict[str, Any]:
        """Everything of an object but its identity and metadata."""
        dice = self.dice
        match kind.plural:
            case "sprockets":
                fields = self._fields(wrong)
                if not sparse or dice.random() < 0.7:
                    fields.setdefault("size", dice.randint(1, 100))
                return {"spec": fields}
            case "paddocks":
                return {
                    "spec": {"area": self._maybe_wrong(dice.randint(0, 9), wrong), "name": dice.choice("xy")}
                }
            case "configmaps":
                content: dict[str, Any] = {
                    "data": {key: dice.choice(("1", "2", "")) for key in dice.sample("abc", 2)}
                }
                if dice.random() < wrong:
                    content["data"] = dice.choice(
                        ({"no/slash": "x"}, {"a": 1}, {"a": None}, [], "x", {"": "x"})
                    )
                if dice.random() < 0.1:
                    content["immutable"] = self._maybe_wrong(dice.random() < 0.3, wrong)
                if dice.random() < 0.1:
                    content["binaryData"] = dice.choice(({"bin": "eA=="}, {"bin": "?"}, {"a": "eA=="}))
                return content
            case "secrets":
                content = {"data": {key: dice.choice(("MQ==", "Mg==", "")) for key in dice.sample("abc", 2)}}
                if dice.random() < 0.2:
                    content["stringData"] = {"a": "plain"}
                if dice.random() < 0.2:
                    content["type"] = dice.choice(
                        ("Opaque", "nxc.dev/x", "kubernetes.io/tls", "kubernetes.io/basic-auth", "")
                    )
                if dice.random() < wrong:
                    content["data"] = dice.choice(({"no/slash": "MQ=="}, {"a": 1}, {"a": "?"}, {"a": None}))
                return content
            case "leases":
                spec: dict[str, Any] = {
                    "holderIdentity": dice.choice(("me", "you", "")),
                    "leaseDurationSeconds": self._maybe_wrong(dice.choice((15, 30)), wrong),
                }
                if dice.random() < 0.4:
                    spec["renewTime"] = self._maybe_wrong("2026-01-02T03:04:05.678900Z", wrong)
                if dice.random() < 0.2:
                    spec["leaseTransitions"] = dice.choice((0, 3, -1))
                return {"spec": spec}
            case "roles":
                rule: dict[str, Any] = {
                    "apiGroups": dice.choice(([""], ["test.nxc.dev"], ["*"])),
                    "resources": dice.choice((["configmaps"], ["sprockets", "sprockets/status"], [])),
                    "verbs": dice.choice((["get"], ["get", "list"], ["*"], [])),
                }
                if dice.random() < 0.2:
                    rule["resourceNames"] = ["a"]
                if dice.random() < 0.1:
                    rule["nonResourceURLs"] = ["/x"]
                return {"rules": [rule]}
        subject = dice.choice(
            (
                {"kind": "User", "name": "u", "apiGroup": "rbac.authorization.k8s.io"},
                {"kind": "User", "name": "u"},
                {"kind": "Group", "name": "g"},
                {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
                {"kind": "ServiceAccount", "name": "s"},
                {"kind": "Nobody", "name": "n"},
            )
        )
        role = {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": dice.choice(("Role", "ClusterRole")),
            "name": dice.choice(("x", "view")),
        }
        if dice.random() < 0.1:
            role = dice.choice(
                ({"kind": "Role", "name": "x"}, {"kind": "Other", "name": "x"}, {**role, "name": ""})
            )
        return {"roleRef": role, "subjects": [subject]}

    def _fields(self, wrong: float) -> dict[str, Any]:
        """Some fields of a sprocket's spec."""
        chosen = self.dice.sample(tuple(self._field_values()), self.dice.choice((0, 1, 2, 3)))
        fields = {
            name: self._maybe_wrong(self._field_values()[name], wrong if name != "due" else 0)
            for name in chosen
        }
        if self.dice.random() < wrong:
            fields[self.dice.choice(("colr", "Size", "unknown"))] = self.dice.choice((1, {"x": [1]}, None))
        return fields

    def _field_values(self) -> dict[str, Any]:
        dice = self.dice
        return {
            "size": dice.choice((1, 2, 50, 100)),
            "colour": dice.choice(("red", "green", "blue")),
            "replicas": dice.choice((0, 1, 3)),
            "low": dice.randint(1, 3),
            "high": dice.randint(2, 4),
            "serial": dice.choice(("A-1", "A-1", "A-1", "B-2")),
            "due": "2026-01-02T03:04:05Z",
            "limit": dice.choice((1, "10%")),
            "note": dice.choice(("hello", "", None)),
            "parts": [self._part(name) for name in dice.sample(("arm", "leg", "head"), dice.choice((1, 2)))],
            "tags": dice.sample(("x", "y2", "z"), dice.choice((0, 1, 2))),
            "steps": dice.choices(("cut", "weld", "paint"), k=dice.choice((0, 1, 2))),
            "options": {key: dice.choice("12") for key in dice.sample("kl", dice.choice((0, 1, 2)))},
            "settings": dice.choice(({"mode": "fast"}, {"mode": "slow", "level": 2}, {})),
            "anything": dice.choice(({"a": 1}, {"a": {"b": [1, None]}}, {})),
        }

    def _part(self, name: str) -> dict[str, Any]:
        part: dict[str, Any] = {"name": name}
        if self.dice.random() < 0.5:
            part["count"] = self.dice.randint(0, 3)
        if self.dice.random() < 0.3:
            part["note"] = self.dice.choice(("n1", "n2"))
        return part

    def _status_value(self) -> Any:
        dice = self.dice
        condition = {
            "type": dice.choice(("Ready", "Built")),
            "status": dice.choice(("True", "False", "False", "Maybe")),
        }
        return dice.choice(
            (
                {"phase": dice.choice(("One", "Two"))},
                {"conditions": [condition]},
                {"conditions": [condition], "observedGeneration": dice.randint(1, 3)},
                {"conditions": [condition, condition]},
                {"replicas": 2, "selector": "app=x"},
                {"unknown": 1},
                {},
                None,
            )
        )

    def _maybe_wrong(self, value: Any, chance: float) -> Any:
        return self.dice.choice(_WRONG) if self.dice.random() < chance else value

    def _partial(self, kind: Kind) -> dict[str, Any]:
        """A merge patch."""
        body: dict[str, Any] = {}
        if self.dice.random() < 0.8:
            body = self._content(kind, wrong=0.06, sparse=True)
            if kind is SPROCKETS and self.dice.random() < 0.3:
                body["spec"][self.dice.choice(tuple(self._field_values()))] = None
        if self.dice.random() < 0.3:
            body["metadata"] = {
                "labels": {self.dice.choice(("app", "tier")): self.dice.choice(("x", "y", None))}
            }
        if self.dice.random() < 0.1:
            (_, key), value = self._bad_metadata()
            body.setdefault("metadata", {})[key] = value
        if self.dice.random() < 0.05:
            body[self.dice.choice(("extra", "spec", "data", "metadata"))] = self.dice.choice((None, 1, {}))
        return body

    def _change(self, kind: Kind) -> tuple[tuple[str, ...], Any]:
        """One change of a whole object."""
        content = self._content(kind, wrong=0.08)
        top = self.dice.choice(tuple(content))
        if kind is SPROCKETS and content["spec"]:
            field = self.dice.choice(tuple(content["spec"]))
            value = REMOVED if self.dice.random() < 0.2 else content["spec"][field]
            return ("spec", field), value
        if self.dice.random() < 0.2:
            return ("metadata", "labels"), {"app": self.dice.choice("xyz")}
        return (top,), content[top]

    def _operation(self, kind: Kind, subresource: str = "") -> dict[str, Any]:
        paths = [
            "/metadata/labels",
            "/metadata/labels/app",
            "/metadata/finalizers",
            "/metadata/resourceVersion",
            "/nothing",
            "/metadata/annotations/a~1b",
        ]
        if kind is SPROCKETS:
            paths += [f"/spec/{name}" for name in self._field_values()] + [
                "/spec/parts/0",
                "/spec/parts/-",
                "/spec/tags/5",
                "/spec/parts/0/count",
                "/spec/steps/x",
            ]
        else:
            paths += ["/data/a", "/data", "/spec/holderIdentity", "/rules/0/verbs/-", "/subjects/0"]
        if subresource:
            paths = ["/status/phase", "/status/conditions", "/status/conditions/0", "/status", "/spec/size"]
        path = self.dice.choice(paths)
        last = path.rsplit("/", 1)[-1]
        value: Any = self._field_values().get(last, self.dice.choice(("x", {"app": "x"}, ["x.io/a"], 3)))
        if path == "/spec/parts/0" or path == "/spec/parts/-":
            value = self._part("arm")
        operations = ["add", "add", "remove", "test"]
        if kind in (SPROCKETS, PADDOCKS):  # an old core replaces and copies even what is not there
            operations += ["replace", "replace", "copy", "move"]
        if subresource:
            operations = ["add", "replace", "test"]  # what is moved into the spec is of a wrong type
        operation = self.dice.choice(operations)
        made: dict[str, Any] = {"op": operation, "path": path}
        if operation in ("add", "replace", "test"):
            made["value"] = value
        if operation in ("copy", "move"):
            made["from"] = self.dice.choice(paths)
        return made


def sequence(seed: int, length: int = 12) -> list[Call]:
    return Draw(seed).sequence(length)

"""Schemas of the core kinds, events and leases."""

from __future__ import annotations

from controller.local.core.builtin_terms import (
    STRING,
    Schema,
    flag,
    item,
    kind,
    listing,
    mapping,
    model,
    moment,
    ref,
    text,
    whole,
)

CORE = "io.k8s.api.core.v1."
EVENTS = "io.k8s.api.events.v1."
COORDINATION = "io.k8s.api.coordination.v1."

_BYTES: Schema = {"type": "string", "format": "byte"}

CORE_MODELS: dict[str, Schema] = {
    "Namespace": kind(
        "A scope for names, and for what users may do.",
        {
            "spec": ref(CORE + "NamespaceSpec", "How the namespace behaves."),
            "status": ref(CORE + "NamespaceStatus", "State of the namespace. Read-only."),
        },
    ),
    "NamespaceSpec": model(
        "How a namespace behaves.",
        {"finalizers": listing(STRING, "Who must finish something before the namespace may go.")},
    ),
    "NamespaceStatus": model(
        "State of a namespace.",
        {
            "conditions": listing(
                item(CORE + "NamespaceCondition"), "What hinders its deletion.", key="type", merge=True
            ),
            "phase": text("Active or Terminating."),
        },
    ),
    "NamespaceCondition": model(
        "One aspect of a namespace's state.",
        {
            "lastTransitionTime": moment("When `status` last changed."),
            "message": text("What happened, for people."),
            "reason": text("What happened, for programs."),
            "status": text("True, False or Unknown."),
            "type": text("Which aspect."),
        },
        "type status",
    ),
    "ConfigMap": kind(
        "ConfigMap holds configuration data for pods to consume.",
        {
            "binaryData": mapping(
                _BYTES, "Bytes by key, in base64. A key stands here or in `data`, not in both."
            ),
            "data": mapping(STRING, "Text by key: alphanumeric characters, `-`, `_` or `.`."),
            "immutable": flag("True: the data can no longer be changed, nor can this be taken back."),
        },
    ),
    "Secret": kind(
        "Confidential data. At most 1 MiB in all.",
        {
            "data": mapping(_BYTES, "Bytes by key, in base64."),
            "immutable": flag("True: the data can no longer be changed, nor can this be taken back."),
            "stringData": mapping(STRING, "Text by key, stored into `data` and never read back."),
            "type": text("What the secret is for, such as Opaque or kubernetes.io/tls. Cannot be changed."),
        },
    ),
    "ServiceAccount": kind(
        "An identity for programs.",
        {
            "automountServiceAccountToken": flag("False: pods do not get a token of themselves."),
            "imagePullSecrets": listing(item(CORE + "LocalObjectReference"), "Secrets for pulling images."),
            "secrets": listing(
                item(CORE + "ObjectReference"),
                "Secrets that pods of this account may use.",
                key="name",
                merge=True,
            ),
        },
    ),
    "Event": kind(
        "Something that happened to an object. Kept for a limited time only; an aid to people, not a state.",
        {
            "action": text("What was done about the object."),
            "count": whole("How often it happened."),
            "eventTime": moment("When it was first seen.", micro=True),
            "firstTimestamp": moment("When it was first recorded."),
            "involvedObject": ref(CORE + "ObjectReference", "The object it happened to."),
            "lastTimestamp": moment("When it was last recorded."),
            "message": text("What happened, for people."),
            "reason": text("What happened, for programs: one CamelCase word."),
            "related": ref(CORE + "ObjectReference", "A second object that takes part."),
            "reportingComponent": text("The controller that reports, such as nxc.dev/controller."),
            "reportingInstance": text("Which instance of the controller, such as its host name."),
            "series": ref(CORE + "EventSeries", "The series that it belongs to."),
            "source": ref(CORE + "EventSource", "Who reports it."),
            "type": text("Normal or Warning."),
        },
        "metadata involvedObject",
    ),
    "EventSeries": model(
        "A row of like events.",
        {
            "count": whole("How many."),
            "lastObservedTime": moment("When the last was seen.", micro=True),
        },
    ),
    "EventSource": model(
        "Who reports an event.",
        {"component": text("The component."), "host": text("The node it runs on.")},
    ),
    "ObjectReference": model(
        "Points at an object.",
        {
            "apiVersion": text("API version of the object."),
            "fieldPath": text("The part of the object that is meant."),
            "kind": text("Kind of the object."),
            "name": text("Name of the object."),
            "namespace": text("Namespace of the object."),
            "resourceVersion": text("Version of the object, if one is meant."),
            "uid": text("UID of the object."),
        },
        atomic=True,
    ),
    "LocalObjectReference": model(
        "Names an object in the same namespace.", {"name": text("Name of the object.")}, atomic=True
    ),
}

EVENTS_MODELS: dict[str, Schema] = {
    "Event": kind(
        "Something that happened to an object. Kept for a limited time only; an aid to people, not a state.",
        {
            "action": text("What was done about the object. At most 128 characters."),
            "deprecatedCount": whole("`count` of the core kind."),
            "deprecatedFirstTimestamp": moment("`firstTimestamp` of the core kind."),
            "deprecatedLastTimestamp": moment("`lastTimestamp` of the core kind."),
            "deprecatedSource": ref(CORE + "EventSource", "`source` of the core kind."),
            "eventTime": moment("When it was first seen. Required.", micro=True),
            "note": text("What happened, for people. At most 1 kB."),
            "reason": text("Why it was done. At most 128 characters."),
            "regarding": ref(CORE + "ObjectReference", "The object it happened to."),
            "related": ref(CORE + "ObjectReference", "A second object that takes part."),
            "reportingController": text("The controller that reports. Cannot be empty for a new event."),
            "reportingInstance": text("Which instance of the controller. Cannot be empty for a new event."),
            "series": ref(EVENTS + "EventSeries", "The series that it belongs to."),
            "type": text("Normal or Warning. Cannot be empty for a new event."),
        },
        "eventTime",
    ),
    "EventSeries": model(
        "A row of like events.",
        {
            "count": whole("How many."),
            "lastObservedTime": moment("When the last was seen.", micro=True),
        },
        "count lastObservedTime",
    ),
}

COORDINATION_MODELS: dict[str, Schema] = {
    "Lease": kind(
        "A claim that must be renewed, as for leader election.",
        {"spec": ref(COORDINATION + "LeaseSpec", "The claim.")},
    ),
    "LeaseSpec": model(
        "A claim.",
        {
            "acquireTime": moment("When the present holder took it.", micro=True),
            "holderIdentity": text("Who holds it; empty for nobody."),
            "leaseDurationSeconds": whole("Seconds after renewTime at which others may take it."),
            "leaseTransitions": whole("How often the holder changed."),
            "preferredHolder": text("Who should take it next, under coordinated leader election."),
            "renewTime": moment("When the holder last renewed it.", micro=True),
            "strategy": text("How the leader is picked, under coordinated leader election."),
        },
    ),
}

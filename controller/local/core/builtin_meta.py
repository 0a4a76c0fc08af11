"""meta.k8s.io/v1: the models that every kind shares."""

from __future__ import annotations

from controller.local.core.builtin_terms import (
    META,
    STRING,
    TYPE_META,
    Schema,
    anything,
    flag,
    item,
    listing,
    mapping,
    model,
    moment,
    ref,
    text,
    whole,
)

META_MODELS: dict[str, Schema] = {
    "Time": {
        "type": "string",
        "format": "date-time",
        "description": "An instant in RFC 3339, to the second.",
    },
    "MicroTime": {
        "type": "string",
        "format": "date-time",
        "description": "An instant in RFC 3339, to the microsecond.",
    },
    "FieldsV1": anything(
        "A set of fields as a trie: `f:NAME` a field, `k:` or `v:` a list's element, `.` the thing itself."
    ),
    "Patch": {"type": "object", "description": "A patch, in the form that the request's content type names."},
    "OwnerReference": model(
        "An object that this one belongs to: in the same namespace, or cluster-scoped.",
        {
            "apiVersion": text("API version of the owner."),
            "blockOwnerDeletion": flag(
                "While true, a foreground deletion of the owner waits until this object is gone."
            ),
            "controller": flag("True for the one owner that manages this object."),
            "kind": text("Kind of the owner."),
            "name": text("Name of the owner."),
            "uid": text("UID of the owner."),
        },
        "apiVersion kind name uid",
        atomic=True,
    ),
    "ManagedFieldsEntry": model(
        "The fields that one manager has set through one operation.",
        {
            "apiVersion": text("Version of the resource in which the fields are named."),
            "fieldsType": text("Form of `fieldsV1`: always FieldsV1."),
            "fieldsV1": ref(META + "FieldsV1", "The fields."),
            "manager": text("Who set them."),
            "operation": text("How they were set: Apply or Update."),
            "subresource": text("The subresource through which they were set, empty for the object itself."),
            "time": moment("When the manager last changed the set or its values."),
        },
    ),
    "ObjectMeta": model(
        "What every stored object says about itself.",
        {
            "annotations": mapping(STRING, "Text by key, for tools. Not for selection."),
            "creationTimestamp": moment("When the server stored the object first. Read-only."),
            "deletionGracePeriodSeconds": whole("Seconds the object is given to end. Read-only.", 64),
            "deletionTimestamp": moment(
                "When deletion was asked for; the object goes when its finalizers have. Read-only."
            ),
            "finalizers": {
                **listing(
                    STRING, "Who must finish something before the object may go. Each removes its own entry."
                ),
                "x-kubernetes-list-type": "set",
                "x-kubernetes-patch-strategy": "merge",
            },
            "generateName": text("Where `name` is empty: the prefix of a name that the server makes."),
            "generation": whole("Counts the changes of the desired state. Read-only.", 64),
            "labels": mapping(STRING, "Text by key, by which objects are selected."),
            "managedFields": listing(item(META + "ManagedFieldsEntry"), "Who has set which fields."),
            "name": text("Name, unique in its namespace among objects of the kind. Cannot be changed."),
            "namespace": text("Namespace that the object lives in. Cannot be changed."),
            "ownerReferences": listing(
                item(META + "OwnerReference"),
                "Objects that this one goes with, when the last of them goes.",
                key="uid",
                merge=True,
            ),
            "resourceVersion": text(
                "The server's version of this object, opaque. An update that carries an old one is refused."
            ),
            "selfLink": text("Deprecated: no longer set."),
            "uid": text("Unique over all time. Read-only."),
        },
    ),
    "ListMeta": model(
        "What a list says about itself.",
        {
            "continue": text("Token for the next part of a list that was cut by `limit`."),
            "remainingItemCount": whole("How many objects follow, where the server knows.", 64),
            "resourceVersion": text("Version of the whole list: a watch from here misses nothing."),
            "selfLink": text("Deprecated: no longer set."),
        },
    ),
    "LabelSelector": model(
        "Selects objects by label: every part must hold. An empty one selects all, an absent one none.",
        {
            "matchExpressions": listing(
                item(META + "LabelSelectorRequirement"), "Requirements, all of which must hold."
            ),
            "matchLabels": mapping(STRING, "Labels that must have exactly these values."),
        },
        atomic=True,
    ),
    "LabelSelectorRequirement": model(
        "A demand on one label.",
        {
            "key": text("The label."),
            "operator": text("In, NotIn, Exists or DoesNotExist."),
            "values": listing(STRING, "Values: for In and NotIn at least one, for the others none."),
        },
        "key operator",
    ),
    "FieldSelectorRequirement": model(
        "A demand on one field.",
        {
            "key": text("The field."),
            "operator": text("In, NotIn, Exists or DoesNotExist."),
            "values": listing(STRING, "Values: for In and NotIn at least one, for the others none."),
        },
        "key operator",
    ),
    "Condition": model(
        "One aspect of an object's state.",
        {
            "lastTransitionTime": moment("When `status` last changed."),
            "message": text("What happened, for people."),
            "observedGeneration": whole("The metadata.generation that this was found for.", 64),
            "reason": text("What happened, for programs: one CamelCase word."),
            "status": text("True, False or Unknown."),
            "type": text("Which aspect, in CamelCase."),
        },
        "type status lastTransitionTime reason message",
    ),
    "Preconditions": model(
        "What must hold for a deletion; else it answers 409.",
        {"resourceVersion": text("The object's version."), "uid": text("The object's UID.")},
    ),
    "DeleteOptions": model(
        "How to delete.",
        {
            **TYPE_META,
            "dryRun": listing(STRING, "`All`: go through everything, store nothing."),
            "gracePeriodSeconds": whole("Seconds until the object is ended; 0 means at once.", 64),
            "orphanDependents": flag("Deprecated: use propagationPolicy."),
            "preconditions": ref(META + "Preconditions", "What must hold for the deletion."),
            "propagationPolicy": text(
                "What becomes of what it owns: Background (goes after it), Foreground (before), Orphan (stays)."
            ),
        },
    ),
    "StatusCause": model(
        "One reason of a failure.",
        {
            "field": text("The field that caused it."),
            "message": text("What is wrong, for people."),
            "reason": text("What is wrong, for programs."),
        },
    ),
    "StatusDetails": model(
        "What a status is about.",
        {
            "causes": listing(item(META + "StatusCause"), "Every reason of the failure."),
            "group": text("API group of the object."),
            "kind": text("Kind or resource of the object."),
            "name": text("Name of the object."),
            "retryAfterSeconds": whole("Seconds after which to try again."),
            "uid": text("UID of the object."),
        },
    ),
    "Status": model(
        "The answer to a call that returns no object.",
        {
            **TYPE_META,
            "code": whole("HTTP status."),
            "details": ref(META + "StatusDetails", "What the status is about."),
            "message": text("What happened, for people."),
            "metadata": ref(META + "ListMeta", "Standard list metadata."),
            "reason": text("What happened, for programs."),
            "status": text("Success or Failure."),
        },
    ),
    "WatchEvent": model(
        "One event of a watch.",
        {
            "object": anything("The object after the event, or a Status."),
            "type": text("ADDED, MODIFIED, DELETED, BOOKMARK or ERROR."),
        },
        "type object",
    ),
}
"""Models by their short name; their full name has META in front."""

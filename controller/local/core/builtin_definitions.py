"""Schemas of CustomResourceDefinitions."""

from __future__ import annotations

from controller.local.core.builtin_terms import (
    STRING,
    Schema,
    anything,
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

EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."

_NESTED = item(EXTENSIONS + "JSONSchemaProps")


def _untyped(description: str = "") -> Schema:
    """Any JSON value, or a schema or something else: Kubernetes' own documents declare no type there either."""
    return {"description": description} if description else {}


def _number(description: str) -> Schema:
    return {"type": "number", "format": "double", "description": description}


EXTENSIONS_MODELS: dict[str, Schema] = {
    "CustomResourceDefinition": kind(
        "Adds a kind to the API.",
        {
            "spec": ref(EXTENSIONS + "CustomResourceDefinitionSpec", "The kind."),
            "status": ref(EXTENSIONS + "CustomResourceDefinitionStatus", "Whether it is served. Read-only."),
        },
        "spec",
    ),
    "CustomResourceDefinitionSpec": model(
        "A kind.",
        {
            "conversion": ref(
                EXTENSIONS + "CustomResourceConversion", "How objects change from version to version."
            ),
            "group": text("API group, such as nxc.dev. The definition's name is `PLURAL.GROUP`."),
            "names": ref(EXTENSIONS + "CustomResourceDefinitionNames", "Its names."),
            "preserveUnknownFields": flag("Deprecated: must be false."),
            "scope": text("Namespaced or Cluster."),
            "versions": listing(item(EXTENSIONS + "CustomResourceDefinitionVersion"), "Its versions."),
        },
        "group names scope versions",
    ),
    "CustomResourceDefinitionNames": model(
        "Names of a kind.",
        {
            "categories": listing(STRING, "Groups of kinds that `kubectl get` knows, such as all."),
            "kind": text("In CamelCase, singular."),
            "listKind": text("Kind of its lists. Default: KIND + `List`."),
            "plural": text("In URLs. Lower case."),
            "shortNames": listing(STRING, "Short names. Lower case."),
            "singular": text("For the command line. Default: the kind in lower case."),
        },
        "plural kind",
    ),
    "CustomResourceDefinitionVersion": model(
        "A version of a kind.",
        {
            "additionalPrinterColumns": listing(
                item(EXTENSIONS + "CustomResourceColumnDefinition"),
                "Columns of `kubectl get`. Default: the age.",
            ),
            "deprecated": flag("True: requests are answered with a warning."),
            "deprecationWarning": text("The warning, if not the usual one."),
            "name": text("Such as v1 or v1alpha1."),
            "schema": ref(EXTENSIONS + "CustomResourceValidation", "What objects look like."),
            "selectableFields": listing(
                item(EXTENSIONS + "SelectableField"), "Fields that a field selector may name. At most 8."
            ),
            "served": flag("True: the version is served."),
            "storage": flag("True for the one version in which objects are stored."),
            "subresources": ref(EXTENSIONS + "CustomResourceSubresources", "Its subresources."),
        },
        "name served storage",
    ),
    "CustomResourceValidation": model(
        "What objects look like.",
        {"openAPIV3Schema": ref(EXTENSIONS + "JSONSchemaProps", "A structural schema.")},
    ),
    "JSONSchemaProps": model(
        "A JSON schema, of the structural kind that CustomResourceDefinitions take.",
        {
            "$ref": text("Not allowed in a structural schema."),
            "$schema": text("The dialect of the schema."),
            "additionalItems": _untyped("Not allowed in a structural schema."),
            "additionalProperties": _untyped("Schema of the values under any key, or true for any value."),
            "allOf": listing(_NESTED, "Schemas that must all hold."),
            "anyOf": listing(_NESTED, "Schemas of which one must hold."),
            "default": _untyped("Value of a field that is not given."),
            "definitions": mapping(_NESTED, "Not allowed in a structural schema."),
            "dependencies": mapping(_untyped(), "Not allowed in a structural schema."),
            "description": text("What the value means; `kubectl explain` prints it."),
            "enum": listing(_untyped(), "The values that are allowed."),
            "example": _untyped("A value, for readers."),
            "exclusiveMaximum": flag("True: `maximum` itself is too much."),
            "exclusiveMinimum": flag("True: `minimum` itself is too little."),
            "externalDocs": ref(EXTENSIONS + "ExternalDocumentation", "Where to read more."),
            "format": text("What a text or number stands for, such as date-time or int32."),
            "id": text("Not allowed in a structural schema."),
            "items": _untyped("Schema of a list's elements."),
            "maxItems": whole("How many elements a list may have.", 64),
            "maxLength": whole("How many characters a text may have.", 64),
            "maxProperties": whole("How many fields an object may have.", 64),
            "maximum": _number("The largest number."),
            "minItems": whole("How many elements a list must have.", 64),
            "minLength": whole("How many characters a text must have.", 64),
            "minProperties": whole("How many fields an object must have.", 64),
            "minimum": _number("The smallest number."),
            "multipleOf": _number("What a number must be a multiple of."),
            "not": ref(EXTENSIONS + "JSONSchemaProps", "A schema that must not hold."),
            "nullable": flag("True: null is allowed."),
            "oneOf": listing(_NESTED, "Schemas of which exactly one must hold."),
            "pattern": text("A regular expression (RE2) that a text must match somewhere."),
            "patternProperties": mapping(_NESTED, "Not allowed in a structural schema."),
            "properties": mapping(_NESTED, "Schemas of an object's fields, by name."),
            "required": listing(STRING, "Fields that must be there."),
            "title": text("A heading for the value."),
            "type": text("object, array, string, integer, number or boolean."),
            "uniqueItems": flag("Not allowed to be true: use x-kubernetes-list-type."),
            "x-kubernetes-embedded-resource": flag("True: the value is a whole Kubernetes object."),
            "x-kubernetes-int-or-string": flag("True: an integer or a text."),
            "x-kubernetes-list-map-keys": listing(
                STRING, "For a list of type map: the fields that tell elements apart."
            ),
            "x-kubernetes-list-type": text("atomic, set or map: how a list is merged."),
            "x-kubernetes-map-type": text("granular or atomic: how an object is merged."),
            "x-kubernetes-preserve-unknown-fields": flag("True: fields that are not declared are kept."),
            "x-kubernetes-validations": listing(
                item(EXTENSIONS + "ValidationRule"), "Rules in CEL.", key="rule", merge=True
            ),
        },
    ),
    "ExternalDocumentation": model(
        "Where to read more.", {"description": text("What is there."), "url": text("Its address.")}
    ),
    "ValidationRule": model(
        "A rule in CEL, the Common Expression Language.",
        {
            "fieldPath": text("The field that a breach is reported for."),
            "message": text("What a breach is told as."),
            "messageExpression": text("A CEL expression that makes the message."),
            "optionalOldSelf": flag("True: the rule also holds for new objects, where oldSelf has no value."),
            "reason": text(
                "FieldValueInvalid (default), FieldValueForbidden, FieldValueRequired, FieldValueDuplicate."
            ),
            "rule": text("An expression over `self` (and `oldSelf`) that must be true."),
        },
        "rule",
    ),
    "CustomResourceColumnDefinition": model(
        "A column of `kubectl get`.",
        {
            "description": text("What it shows."),
            "format": text("An OpenAPI format, such as date or int32."),
            "jsonPath": text("Where the value is in the object."),
            "name": text("Its heading."),
            "priority": whole("0: always shown; more: only by `-o wide`."),
            "type": text("integer, number, string, boolean or date."),
        },
        "name type jsonPath",
    ),
    "SelectableField": model(
        "A field that a field selector may name.",
        {"jsonPath": text("Where it is: a simple path to a string, boolean or integer.")},
        "jsonPath",
    ),
    "CustomResourceSubresources": model(
        "Subresources of a kind.",
        {
            "scale": ref(EXTENSIONS + "CustomResourceSubresourceScale", "Serve /scale."),
            "status": ref(
                EXTENSIONS + "CustomResourceSubresourceStatus",
                "Serve /status: the status is written there alone.",
            ),
        },
    ),
    "CustomResourceSubresourceStatus": anything("Serve /status. No options."),
    "CustomResourceSubresourceScale": model(
        "Where /scale finds its numbers.",
        {
            "labelSelectorPath": text("Path of the selector, below .status or .spec."),
            "specReplicasPath": text("Path of the wanted number, below .spec."),
            "statusReplicasPath": text("Path of the number there is, below .status."),
        },
        "specReplicasPath statusReplicasPath",
    ),
    "CustomResourceConversion": model(
        "How objects change from version to version.",
        {
            "strategy": text("None: only apiVersion changes. Webhook: a webhook is called."),
            "webhook": anything("How the webhook is called."),
        },
        "strategy",
    ),
    "CustomResourceDefinitionStatus": model(
        "Whether a kind is served.",
        {
            "acceptedNames": ref(EXTENSIONS + "CustomResourceDefinitionNames", "The names in force."),
            "conditions": listing(
                item(EXTENSIONS + "CustomResourceDefinitionCondition"),
                "NamesAccepted, Established, Terminating.",
                key="type",
            ),
            "observedGeneration": whole("The metadata.generation that this status is of.", 64),
            "storedVersions": listing(STRING, "Versions in which objects may be stored."),
        },
    ),
    "CustomResourceDefinitionCondition": model(
        "One aspect of the state.",
        {
            "lastTransitionTime": moment("When `status` last changed."),
            "message": text("What happened, for people."),
            "observedGeneration": whole("The metadata.generation that this was found for.", 64),
            "reason": text("What happened, for programs."),
            "status": text("True, False or Unknown."),
            "type": text("Which aspect."),
        },
        "type status",
    ),
}

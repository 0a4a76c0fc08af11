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
    model,
    moment,
    ref,
    text,
    whole,
)

EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."

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
    "JSONSchemaProps": anything("A JSON schema, of the structural kind that CustomResourceDefinitions take."),
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

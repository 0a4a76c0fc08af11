"""The built-in kinds: core, events, coordination, rbac, authorization, authentication, apiextensions."""

from __future__ import annotations

from controller.local.core.builtin_terms import (
    META,
    STRING,
    TYPE_META,
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

CORE = "io.k8s.api.core.v1."
EVENTS = "io.k8s.api.events.v1."
COORDINATION = "io.k8s.api.coordination.v1."
RBAC = "io.k8s.api.rbac.v1."
AUTHORIZATION = "io.k8s.api.authorization.v1."
AUTHENTICATION = "io.k8s.api.authentication.v1."
EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."

_BYTES: Schema = {"type": "string", "format": "byte"}
_EXTRA = mapping(
    {"type": "array", "items": STRING}, "Further facts about the user, as the authenticator gave them."
)

_CORE: dict[str, Schema] = {
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
        "Configuration that programs read.",
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

_EVENTS: dict[str, Schema] = {
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

_COORDINATION: dict[str, Schema] = {
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

_RULES = listing(item(RBAC + "PolicyRule"), "What the role allows.")
_SUBJECTS = listing(item(RBAC + "Subject"), "Who gets the role.")

_RBAC: dict[str, Schema] = {
    "Role": kind("What one may do in a namespace.", {"rules": _RULES}),
    "ClusterRole": kind(
        "What one may do, in a namespace or in the whole cluster: as the binding says.",
        {
            "aggregationRule": ref(
                RBAC + "AggregationRule",
                "Where set, the rules are gathered from other ClusterRoles and cannot be written.",
            ),
            "rules": _RULES,
        },
    ),
    "AggregationRule": model(
        "Which ClusterRoles' rules are gathered.",
        {
            "clusterRoleSelectors": listing(
                item(META + "LabelSelector"), "A ClusterRole that any of these selects gives its rules."
            )
        },
    ),
    "PolicyRule": model(
        "Verbs on resources, or on URLs. There are no denials.",
        {
            "apiGroups": listing(STRING, 'API groups of the resources: `""` the core, `*` all.'),
            "nonResourceURLs": listing(
                STRING, "Paths, `*` only as the whole last step. Only where a ClusterRoleBinding binds it."
            ),
            "resourceNames": listing(STRING, "Names of the objects; none: all."),
            "resources": listing(STRING, "Plurals such as `secrets`, `deployments/status`, `*`."),
            "verbs": listing(
                STRING, "get, list, watch, create, update, patch, delete, deletecollection, ..., `*` for all."
            ),
        },
        "verbs",
    ),
    "RoleBinding": kind(
        "Gives a role to users within one namespace.",
        {
            "roleRef": ref(
                RBAC + "RoleRef", "A Role of this namespace, or a ClusterRole. Cannot be changed."
            ),
            "subjects": _SUBJECTS,
        },
        "roleRef",
    ),
    "ClusterRoleBinding": kind(
        "Gives a ClusterRole to users in the whole cluster.",
        {"roleRef": ref(RBAC + "RoleRef", "A ClusterRole. Cannot be changed."), "subjects": _SUBJECTS},
        "roleRef",
    ),
    "RoleRef": model(
        "Names a role.",
        {
            "apiGroup": text("rbac.authorization.k8s.io"),
            "kind": text("Role or ClusterRole."),
            "name": text("Name of the role."),
        },
        "apiGroup kind name",
        atomic=True,
    ),
    "Subject": model(
        "Names a user, a group or a service account.",
        {
            "apiGroup": text("Empty for a ServiceAccount, rbac.authorization.k8s.io for User and Group."),
            "kind": text("User, Group or ServiceAccount."),
            "name": text("Name of the subject."),
            "namespace": text("Namespace of a ServiceAccount; empty for the others."),
        },
        "kind name",
        atomic=True,
    ),
}

_RESOURCE_ATTRIBUTES = ref(
    AUTHORIZATION + "ResourceAttributes", "What to do with which objects. This or nonResourceAttributes."
)
_NON_RESOURCE_ATTRIBUTES = ref(AUTHORIZATION + "NonResourceAttributes", "What to do with which URL.")
_ACCESS_STATUS = ref(AUTHORIZATION + "SubjectAccessReviewStatus", "The answer.")
_SUBJECT_ACCESS = {
    "spec": ref(
        AUTHORIZATION + "SubjectAccessReviewSpec", "The question. Exactly one of the two kinds of attributes."
    ),
    "status": _ACCESS_STATUS,
}

_AUTHORIZATION: dict[str, Schema] = {
    "SelfSubjectAccessReview": kind(
        "Asks whether the caller may do something.",
        {
            "spec": ref(AUTHORIZATION + "SelfSubjectAccessReviewSpec", "The question."),
            "status": _ACCESS_STATUS,
        },
        "spec",
    ),
    "SelfSubjectAccessReviewSpec": model(
        "Exactly one of the two must be set.",
        {"nonResourceAttributes": _NON_RESOURCE_ATTRIBUTES, "resourceAttributes": _RESOURCE_ATTRIBUTES},
    ),
    "SubjectAccessReview": kind("Asks whether somebody may do something.", _SUBJECT_ACCESS, "spec"),
    "LocalSubjectAccessReview": kind(
        "Asks whether somebody may do something in the namespace that it is sent to.", _SUBJECT_ACCESS, "spec"
    ),
    "SubjectAccessReviewSpec": model(
        "Exactly one of the two kinds of attributes must be set.",
        {
            "extra": _EXTRA,
            "groups": listing(STRING, "The groups of the user."),
            "nonResourceAttributes": _NON_RESOURCE_ATTRIBUTES,
            "resourceAttributes": _RESOURCE_ATTRIBUTES,
            "uid": text("The user's UID."),
            "user": text("The user's name."),
        },
    ),
    "SubjectAccessReviewStatus": model(
        "Whether it is allowed.",
        {
            "allowed": flag("True if it is."),
            "denied": flag("True if it is forbidden outright."),
            "evaluationError": text("What went wrong while finding out; the answer may still be good."),
            "reason": text("Why."),
        },
        "allowed",
    ),
    "ResourceAttributes": model(
        "An action on objects.",
        {
            "fieldSelector": ref(
                AUTHORIZATION + "FieldSelectorAttributes", "Only objects with these fields."
            ),
            "group": text("API group of the resource; `*` means all."),
            "labelSelector": ref(
                AUTHORIZATION + "LabelSelectorAttributes", "Only objects with these labels."
            ),
            "name": text("Name of the object; empty means all."),
            "namespace": text("Namespace; empty means all, or none for cluster-scoped resources."),
            "resource": text("Plural of the resource; `*` means all."),
            "subresource": text("Subresource; empty means none."),
            "verb": text("Verb, such as get or list; `*` means all."),
            "version": text("API version; `*` means all."),
        },
    ),
    "FieldSelectorAttributes": model(
        "A selection by field.",
        {
            "rawSelector": text("The selector as a query parameter has it."),
            "requirements": listing(item(META + "FieldSelectorRequirement"), "Its requirements."),
        },
    ),
    "LabelSelectorAttributes": model(
        "A selection by label.",
        {
            "rawSelector": text("The selector as a query parameter has it."),
            "requirements": listing(item(META + "LabelSelectorRequirement"), "Its requirements."),
        },
    ),
    "NonResourceAttributes": model(
        "An action on a URL.", {"path": text("Path of the URL."), "verb": text("HTTP verb, in lower case.")}
    ),
    "SelfSubjectRulesReview": kind(
        "Asks for all that the caller may do in a namespace.",
        {
            "spec": ref(AUTHORIZATION + "SelfSubjectRulesReviewSpec", "The question."),
            "status": ref(AUTHORIZATION + "SubjectRulesReviewStatus", "The answer."),
        },
        "spec",
    ),
    "SelfSubjectRulesReviewSpec": model("The question.", {"namespace": text("The namespace. Required.")}),
    "SubjectRulesReviewStatus": model(
        "All that is allowed, as far as it could be found out.",
        {
            "evaluationError": text("What went wrong while finding out."),
            "incomplete": flag("True if rules may be missing."),
            "nonResourceRules": listing(item(AUTHORIZATION + "NonResourceRule"), "Actions on URLs."),
            "resourceRules": listing(item(AUTHORIZATION + "ResourceRule"), "Actions on objects."),
        },
        "resourceRules nonResourceRules incomplete",
    ),
    "ResourceRule": model(
        "Actions on objects.",
        {
            "apiGroups": listing(STRING, "API groups; `*` means all."),
            "resourceNames": listing(STRING, "Names; none means all."),
            "resources": listing(STRING, "Plurals; `*` means all."),
            "verbs": listing(STRING, "Verbs; `*` means all."),
        },
        "verbs",
    ),
    "NonResourceRule": model(
        "Actions on URLs.",
        {
            "nonResourceURLs": listing(STRING, "Paths."),
            "verbs": listing(STRING, "HTTP verbs, in lower case."),
        },
        "verbs",
    ),
}

_AUTHENTICATION: dict[str, Schema] = {
    "TokenReview": kind(
        "Asks whose token it is.",
        {
            "spec": ref(AUTHENTICATION + "TokenReviewSpec", "The question."),
            "status": ref(AUTHENTICATION + "TokenReviewStatus", "The answer."),
        },
        "spec",
    ),
    "TokenReviewSpec": model(
        "The question.",
        {
            "audiences": listing(STRING, "For whom the token must be meant."),
            "token": text("The token."),
        },
    ),
    "TokenReviewStatus": model(
        "The answer.",
        {
            "audiences": listing(STRING, "Those of the asked audiences that the token is meant for."),
            "authenticated": flag("True if the token is good."),
            "error": text("Why the token could not be checked."),
            "user": ref(AUTHENTICATION + "UserInfo", "Whose token it is."),
        },
    ),
    "SelfSubjectReview": kind(
        "Asks who the caller is.",
        {"status": ref(AUTHENTICATION + "SelfSubjectReviewStatus", "The answer.")},
    ),
    "SelfSubjectReviewStatus": model(
        "The answer.", {"userInfo": ref(AUTHENTICATION + "UserInfo", "Who the caller is.")}
    ),
    "UserInfo": model(
        "A user.",
        {
            "extra": _EXTRA,
            "groups": listing(STRING, "The user's groups."),
            "uid": text("The user's UID."),
            "username": text("The user's name."),
        },
    ),
    "TokenRequest": kind(
        "Asks for a token of a service account.",
        {
            "spec": ref(AUTHENTICATION + "TokenRequestSpec", "What token."),
            "status": ref(AUTHENTICATION + "TokenRequestStatus", "The token."),
        },
        "spec",
    ),
    "TokenRequestSpec": model(
        "What token.",
        {
            "audiences": listing(STRING, "For whom it is meant."),
            "boundObjectRef": ref(
                AUTHENTICATION + "BoundObjectReference", "An object that it is valid as long as."
            ),
            "expirationSeconds": whole("Seconds that it should be valid for; the answer may differ.", 64),
        },
        "audiences",
    ),
    "TokenRequestStatus": model(
        "A token.",
        {"expirationTimestamp": moment("When it ends."), "token": text("The token.")},
        "token expirationTimestamp",
    ),
    "BoundObjectReference": model(
        "An object that a token is bound to.",
        {
            "apiVersion": text("API version of the object."),
            "kind": text("Pod or Secret."),
            "name": text("Name of the object."),
            "uid": text("UID of the object."),
        },
    ),
}

_EXTENSIONS: dict[str, Schema] = {
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

KIND_MODELS: dict[str, Schema] = {
    prefix + name: schema
    for prefix, models in {
        CORE: _CORE,
        EVENTS: _EVENTS,
        COORDINATION: _COORDINATION,
        RBAC: _RBAC,
        AUTHORIZATION: _AUTHORIZATION,
        AUTHENTICATION: _AUTHENTICATION,
        EXTENSIONS: _EXTENSIONS,
    }.items()
    for name, schema in models.items()
}
"""Models by their full OpenAPI name."""

LISTED = {
    "": (CORE, ("Namespace", "ConfigMap", "Secret", "ServiceAccount", "Event")),
    "events.k8s.io": (EVENTS, ("Event",)),
    "coordination.k8s.io": (COORDINATION, ("Lease",)),
    "rbac.authorization.k8s.io": (RBAC, ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")),
    "apiextensions.k8s.io": (EXTENSIONS, ("CustomResourceDefinition",)),
}
"""The stored kinds, by group: each has a list kind."""

KIND_MODELS |= {
    f"{prefix}{name}List": model(
        f"A list of {name} objects.",
        {
            **TYPE_META,
            "items": listing(item(prefix + name), "The objects."),
            "metadata": ref(META + "ListMeta", "Standard list metadata."),
        },
        "items",
    )
    for prefix, names in LISTED.values()
    for name in names
}

PREFIXES = {
    **{group: prefix for group, (prefix, _) in LISTED.items()},
    "authorization.k8s.io": AUTHORIZATION,
    "authentication.k8s.io": AUTHENTICATION,
}
"""Model name prefix of each built-in group."""

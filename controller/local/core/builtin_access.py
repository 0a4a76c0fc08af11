"""Schemas of roles, bindings, reviews and tokens."""

from __future__ import annotations

from controller.local.core.builtin_terms import (
    META,
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

RBAC = "io.k8s.api.rbac.v1."
AUTHORIZATION = "io.k8s.api.authorization.v1."
AUTHENTICATION = "io.k8s.api.authentication.v1."

_EXTRA = mapping(
    {"type": "array", "items": STRING}, "Further facts about the user, as the authenticator gave them."
)

_RULES = listing(item(RBAC + "PolicyRule"), "What the role allows.")
_SUBJECTS = listing(item(RBAC + "Subject"), "Who gets the role.")

RBAC_MODELS: dict[str, Schema] = {
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

AUTHORIZATION_MODELS: dict[str, Schema] = {
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

AUTHENTICATION_MODELS: dict[str, Schema] = {
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

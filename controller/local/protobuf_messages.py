"""The messages of the built-in kinds that clients write: field number, name in JSON, type.

Source: the generated.proto files of k8s.io/api and k8s.io/apimachinery. A type is `string`, `bytes`, `bool`,
`int`, a message below, or `map:TYPE`; `[]` before it repeats, `?` after it tells zero from absent (a Go pointer).
"""

from __future__ import annotations

_TEXT = """
ObjectMeta: 1 name string, 2 generateName string, 3 namespace string, 4 selfLink string, 5 uid string,
  6 resourceVersion string, 7 generation int, 8 creationTimestamp Time, 9 deletionTimestamp Time,
  10 deletionGracePeriodSeconds int?, 11 labels map:string, 12 annotations map:string,
  13 ownerReferences []OwnerReference, 14 finalizers []string, 17 managedFields []ManagedFieldsEntry
OwnerReference: 5 apiVersion string, 1 kind string, 3 name string, 4 uid string, 6 controller bool?,
  7 blockOwnerDeletion bool?
ManagedFieldsEntry: 1 manager string, 2 operation string, 3 apiVersion string, 4 time Time, 6 fieldsType string,
  7 fieldsV1 FieldsV1, 8 subresource string
DeleteOptions: 1 gracePeriodSeconds int?, 2 preconditions Preconditions, 3 orphanDependents bool?,
  4 propagationPolicy string, 5 dryRun []string
Preconditions: 1 uid string?, 2 resourceVersion string?
LabelSelector: 1 matchLabels map:string, 2 matchExpressions []Requirement
Requirement: 1 key string, 2 operator string, 3 values []string

Namespace: 1 metadata ObjectMeta, 2 spec NamespaceSpec, 3 status NamespaceStatus
NamespaceSpec: 1 finalizers []string
NamespaceStatus: 1 phase string, 2 conditions []NamespaceCondition
NamespaceCondition: 1 type string, 2 status string, 4 lastTransitionTime Time, 5 reason string, 6 message string
ConfigMap: 1 metadata ObjectMeta, 4 immutable bool?, 2 data map:string, 3 binaryData map:bytes
Secret: 1 metadata ObjectMeta, 5 immutable bool?, 2 data map:bytes, 4 stringData map:string, 3 type string
ServiceAccount: 1 metadata ObjectMeta, 2 secrets []ObjectReference, 3 imagePullSecrets []LocalObjectReference,
  4 automountServiceAccountToken bool?
ObjectReference: 1 kind string, 2 namespace string, 3 name string, 4 uid string, 5 apiVersion string,
  6 resourceVersion string, 7 fieldPath string
LocalObjectReference: 1 name string
Event: 1 metadata ObjectMeta, 2 involvedObject ObjectReference, 3 reason string, 4 message string,
  5 source EventSource, 6 firstTimestamp Time, 7 lastTimestamp Time, 8 count int, 9 type string,
  10 eventTime MicroTime, 11 series EventSeries, 12 action string, 13 related ObjectReference,
  14 reportingComponent string, 15 reportingInstance string
EventSource: 1 component string, 2 host string
EventSeries: 1 count int, 2 lastObservedTime MicroTime
events.k8s.io/Event: 1 metadata ObjectMeta, 2 eventTime MicroTime, 3 series EventSeries,
  4 reportingController string, 5 reportingInstance string, 6 action string, 7 reason string,
  8 regarding ObjectReference, 9 related ObjectReference, 10 note string, 11 type string,
  12 deprecatedSource EventSource, 13 deprecatedFirstTimestamp Time, 14 deprecatedLastTimestamp Time,
  15 deprecatedCount int

Lease: 1 metadata ObjectMeta, 2 spec LeaseSpec
LeaseSpec: 1 holderIdentity string?, 2 leaseDurationSeconds int?, 3 acquireTime MicroTime, 4 renewTime MicroTime,
  5 leaseTransitions int?, 6 strategy string?, 7 preferredHolder string?

Role: 1 metadata ObjectMeta, 2 rules []PolicyRule
ClusterRole: 1 metadata ObjectMeta, 2 rules []PolicyRule, 3 aggregationRule AggregationRule
RoleBinding: 1 metadata ObjectMeta, 2 subjects []Subject, 3 roleRef RoleRef
ClusterRoleBinding: 1 metadata ObjectMeta, 2 subjects []Subject, 3 roleRef RoleRef
PolicyRule: 1 verbs []string, 2 apiGroups []string, 3 resources []string, 4 resourceNames []string,
  5 nonResourceURLs []string
AggregationRule: 1 clusterRoleSelectors []LabelSelector
Subject: 1 kind string, 2 apiGroup string, 3 name string, 4 namespace string
RoleRef: 1 apiGroup string, 2 kind string, 3 name string

SelfSubjectAccessReview: 1 metadata ObjectMeta, 2 spec SubjectAccessReviewSpec
SubjectAccessReview: 1 metadata ObjectMeta, 2 spec SubjectAccessReviewSpec
LocalSubjectAccessReview: 1 metadata ObjectMeta, 2 spec SubjectAccessReviewSpec
SubjectAccessReviewSpec: 1 resourceAttributes ResourceAttributes, 2 nonResourceAttributes NonResourceAttributes,
  3 user string, 4 groups []string, 5 extra map:ExtraValue, 6 uid string
ResourceAttributes: 1 namespace string, 2 verb string, 3 group string, 4 version string, 5 resource string,
  6 subresource string, 7 name string
NonResourceAttributes: 1 path string, 2 verb string
ExtraValue: 1 items []string
SelfSubjectRulesReview: 1 metadata ObjectMeta, 2 spec SelfSubjectRulesReviewSpec
SelfSubjectRulesReviewSpec: 1 namespace string
SelfSubjectReview: 1 metadata ObjectMeta
TokenReview: 1 metadata ObjectMeta, 2 spec TokenReviewSpec
TokenReviewSpec: 1 token string, 2 audiences []string
TokenRequest: 1 metadata ObjectMeta, 2 spec TokenRequestSpec
TokenRequestSpec: 1 audiences []string, 4 expirationSeconds int?, 3 boundObjectRef BoundObjectReference
BoundObjectReference: 1 kind string, 2 apiVersion string, 3 name string, 4 uid string
"""

KINDS = frozenset(
    {
        ("v1", "Namespace"),
        ("v1", "ConfigMap"),
        ("v1", "Secret"),
        ("v1", "ServiceAccount"),
        ("v1", "Event"),
        ("events.k8s.io/v1", "Event"),
        ("coordination.k8s.io/v1", "Lease"),
        ("authentication.k8s.io/v1", "SelfSubjectReview"),
        ("authentication.k8s.io/v1", "TokenReview"),
        ("authentication.k8s.io/v1", "TokenRequest"),
        *(("rbac.authorization.k8s.io/v1", kind) for kind in ("Role", "ClusterRole")),
        *(("rbac.authorization.k8s.io/v1", f"{kind}Binding") for kind in ("Role", "ClusterRole")),
        *(("authorization.k8s.io/v1", f"{whose}SubjectAccessReview") for whose in ("", "Self", "Local")),
        ("authorization.k8s.io/v1", "SelfSubjectRulesReview"),
    }
)
"""What may stand in a request's envelope. DeleteOptions is taken in any group and version besides."""

Field = tuple[str, str, bool, bool]
"""Name in JSON, type, whether it repeats, whether zero is kept."""


def _parse(text: str) -> dict[str, dict[int, Field]]:
    messages: dict[str, dict[int, Field]] = {}
    for entry in text.strip().replace(",\n", ", ").splitlines():
        if not entry:
            continue
        name, _, body = entry.partition(": ")
        fields = messages[name] = {}
        for field in body.split(","):
            number, key, kind = field.split()
            fields[int(number)] = (
                key,
                kind.removeprefix("[]").removesuffix("?"),
                kind[0] == "[",
                kind[-1] == "?",
            )
    return messages


MESSAGES = _parse(_TEXT)
"""The fields of each message by number."""

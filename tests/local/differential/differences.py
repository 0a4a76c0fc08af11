"""What is known to differ, each with its reason; docs/local-control-plane-differences.md lists the same titles."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.local.differential.answers import Answer
from tests.local.differential.calls import JSON_PATCH, Call

Forgive = Callable[[Call, Answer, Answer], tuple[Answer, Answer]]


@dataclass(frozen=True)
class Difference:
    """`forgive` takes what differs out of both answers (local, real), and nothing else."""

    title: str
    forgive: Forgive


def expected(call: Call, local: Answer, real: Answer) -> tuple[Answer, Answer]:
    """Both answers without what is known to differ."""
    local, real = copy.deepcopy(local), copy.deepcopy(real)
    for known in DIFFERENCES:
        local, real = known.forgive(call, local, real)
    return local, real


def _is_custom(call: Call) -> bool:
    return call.kind.api.startswith("test.nxc.dev/")


def _without_message(answer: Answer) -> Answer:
    return dataclasses.replace(
        answer, body={key: value for key, value in answer.body.items() if key not in ("message", "details")}
    )


# ------------------------------------------------------------ where the local one says more


def _json_patch_causes(call: Call, local: Answer, real: Answer) -> tuple[Answer, Answer]:
    if call.content_type == JSON_PATCH and local.code == real.code == 422 and not real.body.get("details"):
        local.body.get("details", {}).pop("causes", None)
    return local, real


_REFUSED = Answer(400, "", (), {})
_READERS = re.compile(
    "the body is not valid (JSON|YAML)|the request has no body|error decoding|the object provided is unrecognized"
    "|invalid continue token"
)


def _readers_words(call: Call, local: Answer, real: Answer) -> tuple[Answer, Answer]:
    if isinstance(call.body, str) and min(local.code, real.code) >= 400:
        return _REFUSED, _REFUSED  # rubbish: whether it is read or looked up first makes no difference
    unread = _READERS.match(str(local.body.get("message", ""))) if isinstance(local.body, dict) else None
    if unread and local.code == real.code == 400:
        return _without_message(local), _without_message(real)
    return local, real


def _refused_patch(call: Call, local: Answer, real: Answer) -> tuple[Answer, Answer]:
    """A patch whose result cannot be decoded is answered with the whole object, in an order of its own."""
    refusals = [str(answer.body) for answer in (local, real)]
    if call.method == "PATCH" and all('"" is invalid: patch: Invalid value: ' in said for said in refusals):
        return _without_message(local), _without_message(real)
    return local, real


def _kinds_in_lists(call: Call, local: Answer, real: Answer) -> tuple[Answer, Answer]:
    if not _is_custom(call) and isinstance(local.body, dict):
        for item in local.body.get("items") or ():
            item.pop("apiVersion", None)
            item.pop("kind", None)
    return local, real


def _media_types(_call: Call, local: Answer, real: Answer) -> tuple[Answer, Answer]:
    if local.code == real.code and real.code in (406, 415):
        return _without_message(local), _without_message(real)
    return local, real


def _time_of_scale(_call: Call, local: Answer, real: Answer) -> tuple[Answer, Answer]:
    for answer in (local, real):
        for entry in _managed_entries(answer.body):
            if entry.get("subresource") == "scale":
                entry.pop("time", None)
    return local, real


def _repeated_causes(_call: Call, local: Answer, real: Answer) -> tuple[Answer, Answer]:
    for answer in (local, real):
        details = answer.body.get("details") if isinstance(answer.body, dict) else None
        if isinstance(details, dict) and "causes" in details:
            details["causes"] = [
                cause
                for index, cause in enumerate(details["causes"])
                if cause not in details["causes"][:index]
            ]
    return local, real


# ------------------------------------------------------------ where the real one's core is old (1.20)


def _undecodable_core_kinds(call: Call, local: Answer, real: Answer) -> tuple[Answer, Answer]:
    if not _is_custom(call) and local.code == real.code == 400 and "cannot be handled as a" in str(real.body):
        return _without_message(local), _without_message(real)
    return local, real


_OLD_WORDS = (
    (re.compile(r"failed to create typed patch object \([^)]*\)"), "failed to create typed patch object"),
    (re.compile("must to greater or equal than 0"), "must be greater than or equal to 0"),
    (re.compile(r"data\[%s\]"), "data"),
    (re.compile("Too long: must have at most"), "Too long: may not be more than"),
    (
        re.compile(r"Invalid value: (\[\]v1\.OwnerReference\{|\[\{).*?: Only one"),
        "Invalid value: <owners>: Only one",
    ),
    (re.compile("Invalid value: (0x0|<version>x0|<version>)"), "Invalid value: 0"),
    (re.compile(r'Invalid value: (\\"[0-9T:-]+Z\\"|[0-9: -]+\+0000 UTC)'), "Invalid value: <time>"),
    (re.compile("(uid|name|kind) must not be empty"), "must not be empty"),
    (re.compile(r"\[\]string\{([^}]*)\}: supported"), r"[\1]: supported"),
)


def _old_words(call: Call, local: Answer, real: Answer) -> tuple[Answer, Answer]:
    if _is_custom(call):
        return local, real
    return _reworded(local), _reworded(real)


def _order_of_causes(call: Call, local: Answer, real: Answer) -> tuple[Answer, Answer]:
    """The message of a 422 lists the causes: where only their order differs, so does it."""
    told = [_causes(answer) for answer in (local, real)]
    if not _is_custom(call) and local.code == real.code == 422 and told[0] and told[0] == told[1]:
        return _without_message(local), _without_message(real)
    return local, real


def _causes(answer: Answer) -> list[str]:
    details = answer.body.get("details") or {}
    return sorted(json.dumps(cause, sort_keys=True) for cause in details.get("causes") or ())


def _reworded(answer: Answer) -> Answer:
    if not isinstance(answer.body, dict) or answer.body.get("kind") != "Status":
        return answer
    text = json.dumps(answer.body)
    for old, new in _OLD_WORDS:
        text = old.sub(new, text)
    return dataclasses.replace(answer, body=json.loads(text))


def _owners_of_core_kinds(call: Call, local: Answer, real: Answer) -> tuple[Answer, Answer]:
    if not _is_custom(call):
        for answer in (local, real):
            for metadata in _all_metadata(answer.body):
                metadata.pop("managedFields", None)
    return local, real


def _conflicts_of_core_kinds(call: Call, local: Answer, real: Answer) -> tuple[Answer, Answer]:
    """Whose fields are in conflict: the old core names those as well who lost theirs to another."""
    if _is_custom(call) or not local.code == real.code == 409:
        return local, real
    fields = [
        {cause.get("field") for cause in (answer.body.get("details") or {}).get("causes") or ()}
        for answer in (local, real)
    ]
    if fields[0] and fields[0] == fields[1]:
        return _without_message(local), _without_message(real)
    return local, real


def _versions_of_core_kinds(call: Call, local: Answer, real: Answer) -> tuple[Answer, Answer]:
    if _is_custom(call):
        return local, real
    if {local.code, real.code} == {400, 500} and all(
        "strconv.ParseUint" in str(a.body) for a in (local, real)
    ):
        return _REFUSED, _REFUSED
    for answer in (local, real):
        for metadata in _all_metadata(answer.body):
            metadata.pop("resourceVersion", None)
    return local, real


def _selectors_of_core_kinds(call: Call, local: Answer, real: Answer) -> tuple[Answer, Answer]:
    if call.parameters.get("labelSelector") and not _is_custom(call) and local.code == real.code == 400:
        return _without_message(local), _without_message(real)
    return local, real


def _field_validation_of_core_kinds(call: Call, local: Answer, real: Answer) -> tuple[Answer, Answer]:
    if not _is_custom(call) and not real.warnings:
        return dataclasses.replace(local, warnings=()), real
    return local, real


def _all_managed_fields(body: Any) -> list[list[Any]]:
    return [metadata["managedFields"] for metadata in _all_metadata(body) if "managedFields" in metadata]


def _all_metadata(body: Any) -> list[dict[str, Any]]:
    """The metadata of an object, or of each in a list, a table or a watch."""
    if not isinstance(body, dict):
        return []
    told = [event.get("object") for event in body.get("events") or []]
    found = [body["metadata"]] if isinstance(body.get("metadata"), dict) else []
    for item in [*(body.get("items") or []), *(body.get("objects") or []), *told]:
        found += _all_metadata(item)
    return found


def _managed_entries(body: Any) -> list[Any]:
    return [entry for entries in _all_managed_fields(body) for entry in entries]


DIFFERENCES = (
    Difference("What did not apply in a JSON patch", _json_patch_causes),
    Difference("The words of the JSON and YAML readers", _readers_words),
    Difference("Patches that cannot be decoded", _refused_patch),
    Difference("Kinds of items in lists of core kinds", _kinds_in_lists),
    Difference("Media types that are taken", _media_types),
    Difference("When somebody scaled", _time_of_scale),
    Difference("Causes told twice", _repeated_causes),
    Difference("Core kinds that cannot be decoded", _undecodable_core_kinds),
    Difference("Words that changed since 1.20", _old_words),
    Difference("The order of causes of core kinds", _order_of_causes),
    Difference("Owners of fields of core kinds", _owners_of_core_kinds),
    Difference("Conflicts on core kinds", _conflicts_of_core_kinds),
    Difference("Versions of core kinds", _versions_of_core_kinds),
    Difference("Malformed selectors on core kinds", _selectors_of_core_kinds),
    Difference("Field validation of core kinds", _field_validation_of_core_kinds),
)

"""Whether a value fits its schema: types, limits, formats, combinations; with the API server's messages.

A schema node is compiled once into a function that walks a value and appends what is wrong. The texts, and the choice
of which branch of a failed anyOf or oneOf to report (the one that matched most), are those of k8s.io/kube-openapi.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from controller.local.core import errors
from controller.local.core.equality import same
from controller.local.core.errors import Cause
from controller.local.core.formats import FORMATS, known
from controller.local.core.patterns import compile_pattern
from controller.local.core.structural import ABSENT, Node

Check = Callable[[Any, str, list[Cause], Any], int]
"""check(value, path, causes, old): appends what is wrong to `causes` and returns how many validators looked, the
server's match count. A value that is equal to `old`, what stood there before (ABSENT where that is unknown), may stay
as wrong as it was: so that a schema can become stricter under living objects (KEP-4008, CRD ratcheting)."""

Step = Callable[[Any, str, list[Cause], Any], int]

NOWHERE = "<nil>"
"""The field of a cause that belongs to no single field, as the server spells it."""

_KINDS: dict[type, str] = {
    str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object",
}  # fmt: skip
_NATIVE_FORMAT = {"integer": "int64", "number": "float64"}
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_INT_RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": (_LOWEST, _HIGHEST)}


def compile_check(node: Node) -> Check:
    """The check of `node` and all below it."""
    common: list[Step] = []
    by_kind: dict[str, list[Step]] = {kind: [] for kind in _KINDS.values()}
    raw = node.raw
    types = ("integer", "string") if node.int_or_string else (node.type,) if node.type else ()
    form = known("" if len(types) != 1 else types[0], raw.get("format", ""))
    expected = ",".join(types)

    combine = _combinations(node)
    if any(key in raw for key in ("maxLength", "minLength", "pattern")):
        by_kind["string"].append(_string(raw))
    if form.replace("-", "") in FORMATS and form:
        by_kind["string"].append(_format(form))
    number = _number(raw, types, form)
    if number is not None:
        by_kind["integer"].append(number)
        by_kind["number"].append(number)
    if node.items is not None or "maxItems" in raw or "minItems" in raw:
        by_kind["array"].append(_array(node))
    enum = _enum(raw["enum"]) if raw.get("enum") else None
    if enum is not None:
        common.append(enum)
    if node.properties or node.additional is not None or any(
        key in raw for key in ("required", "maxProperties", "minProperties")
    ):  # fmt: skip
        by_kind["object"].append(_object(node))
    steps = {
        kind: (*found, *common) if kind != "object" else (*common, *found) for kind, found in by_kind.items()
    }
    accepted = _accepted(types, form)
    typed = bool(types or form)
    # What Inc() counts in the server for each kind: the schema itself, its combinations, enum, and the kind's own.
    base = {
        "string": 4 + typed + bool(form), "boolean": 3 + typed, "integer": 5 + typed, "number": 5 + typed,
        "array": 5 + typed, "object": 4 + typed,
    }  # fmt: skip

    def check(value: Any, path: str, causes: list[Cause], old: Any) -> int:
        if value is old and value is not None:
            return 0  # shared with the object before: what did not change may stay wrong
        before = len(causes)
        count = look(value, path, causes, old)
        if len(causes) > before and old is not ABSENT and same(value, old):
            del causes[before:]
        return count

    def look(value: Any, path: str, causes: list[Cause], old: Any) -> int:
        if value is None:
            if types and not node.nullable:
                causes.append(_mistyped(path, expected, "null"))
                return 0
            if enum is not None:
                enum(value, path, causes, ABSENT)
            return 1
        kind = _KINDS[type(value)]
        if kind == "integer" and not _LOWEST <= value <= _HIGHEST:
            kind = "number"  # what does not fit 64 bits is a double to the server
        count = base[kind]
        if kind not in accepted:
            wrong = _type_error(value, kind, types, form, path)
            if wrong is not None:
                causes.append(wrong)
                count -= 1
        if typed:
            count += 1
        if combine is not None:
            count += combine(value, path, causes, old)
        for step in steps[kind]:
            count += step(value, path, causes, old)
        return count

    return check


def _accepted(types: tuple[str, ...], form: str) -> frozenset[str]:
    """The kinds that pass without a closer look."""
    if not types and not form:
        return frozenset(_KINDS.values())
    return frozenset(types) | ({"integer"} if "number" in types else frozenset())


def _type_error(value: Any, kind: str, types: tuple[str, ...], form: str, path: str) -> Cause | None:
    whole = kind == "number" and "integer" in types and float(value).is_integer() and abs(value) < 2**63
    if whole:
        return None
    if form and kind not in ("string", "array"):
        if _NATIVE_FORMAT.get(kind) == form:
            return None
        return _mistyped(path, form, _NATIVE_FORMAT.get(kind, ""))
    if form and not ({"number", "integer"} & set(types)):
        return None
    return _mistyped(path, ",".join(types), kind)


def _mistyped(path: str, expected: str, found: str) -> Cause:
    where = path
    text = f"{path} in body must be of type {expected}: {errors.quoted(found)}"
    return Cause("FieldValueTypeInvalid", where or NOWHERE, f"Invalid value: {errors.quoted(found)}: {text}")


def _invalid(path: str, value: Any, text: str) -> Cause:
    return errors.invalid_value(path or NOWHERE, value, f"{path} in body {text}")


def _nowhere(text: str) -> Cause:
    return Cause("FieldValueInvalid", NOWHERE, f'Invalid value: "": {text}')


def _string(raw: Any) -> Step:
    longest, shortest = raw.get("maxLength"), raw.get("minLength")
    pattern = raw.get("pattern", "")
    matches = compile_pattern(pattern) if pattern else None

    def step(value: str, path: str, causes: list[Cause], _: Any) -> int:
        if longest is not None and len(value) > longest:
            causes.append(errors.too_long(path, longest))
        elif shortest is not None and len(value) < shortest:
            causes.append(_invalid(path, value, f"should be at least {shortest} chars long"))
        elif matches is not None and not matches(value):
            causes.append(_invalid(path, value, f"should match '{pattern}'"))
        return 0

    return step


def _format(form: str) -> Step:
    valid = FORMATS[form.replace("-", "")]

    def step(value: str, path: str, causes: list[Cause], _: Any) -> int:
        if not valid(value):
            text = f"{path} in body must be of type {form}: {errors.quoted(value)}"
            causes.append(
                Cause("FieldValueTypeInvalid", path, f"Invalid value: {errors.quoted(value)}: {text}")
            )
        return 0

    return step


def _number(raw: Any, types: tuple[str, ...], form: str) -> Step | None:
    factor, highest, lowest = raw.get("multipleOf"), raw.get("maximum"), raw.get("minimum")
    open_top, open_bottom = raw.get("exclusiveMaximum", False), raw.get("exclusiveMinimum", False)
    native = form if len(types) == 1 else ""
    if factor is None and highest is None and lowest is None and not native and types != ("integer",):
        return None
    span = _INT_RANGES.get(native or "int64") if types == ("integer",) else None
    spelled = f"{types[0]} with format {native}" if native else "integer (default format)"
    limits = (
        ("MultipleOf value", factor),
        ("Maximum boundary value", highest),
        ("Minimum boundary value", lowest),
    )
    whole = types == ("integer",)
    odd = [what for what, limit in limits if whole and limit is not None and not float(limit).is_integer()]

    def cut(value: int | float, limit: float) -> int | float:
        """Limits are doubles to the server; for an integer it cuts them to integers, unless they are odd there."""
        return (
            int(limit)
            if isinstance(value, int) and (not whole or float(limit).is_integer())
            else float(limit)
        )

    def step(value: int | float, path: str, causes: list[Cause], _: Any) -> int:
        if span is not None and not (span[0] <= value <= span[1] and float(value).is_integer()):
            causes.append(_nowhere(f"Checked value must be of type {spelled} in {path}"))
        causes.extend(_nowhere(f"{what} must be of type {spelled} in {path}") for what in odd)
        if factor is not None:
            unit = cut(value, factor)
            if unit <= 0:
                text = f"factor MultipleOf declared for {path} must be positive: {_spelled(unit)}"
                causes.append(errors.invalid_value(path, unit, text))
            elif not _is_multiple(value, unit):
                causes.append(_invalid(path, value, f"should be a multiple of {_spelled(unit)}"))
        if highest is not None:
            top = cut(value, highest)
            if value >= top if open_top else value > top:
                relation = "less than" if open_top else "less than or equal to"
                shown = type(top)(value)
                causes.append(_invalid(path, shown, f"should be {relation} {_spelled(top)}"))
        if lowest is not None:
            bottom = cut(value, lowest)
            if value <= bottom if open_bottom else value < bottom:
                relation = "greater than" if open_bottom else "greater than or equal to"
                shown = type(bottom)(value)
                causes.append(_invalid(path, shown, f"should be {relation} {_spelled(bottom)}"))
        return 0

    return step


def _is_multiple(value: int | float, unit: int | float) -> bool:
    if isinstance(value, int) and isinstance(unit, int):
        return value % unit == 0
    quotient = 1 / unit * value if unit < 1 else value / unit
    return math.isclose(quotient, round(quotient), rel_tol=1e-9, abs_tol=1e-9)


def _spelled(value: int | float) -> str:
    return errors.go_float(value) if isinstance(value, float) else str(value)


def _array(node: Node) -> Step:
    item = compile_check(node.items) if node.items is not None else None
    longest, shortest = node.raw.get("maxItems"), node.raw.get("minItems")

    def step(value: list[Any], path: str, causes: list[Cause], old: Any) -> int:
        count = 0
        if item is not None:
            shared = old if isinstance(old, list) and node.list_type == "map" else ()
            for index, each in enumerate(value):
                if index < len(shared) and each is shared[index]:
                    continue  # what did not change may stay wrong
                before = len(causes)
                looked = item(each, f"{path}[{index}]", causes, ABSENT)
                if len(causes) > before and node.list_type == "map":
                    former = _former(each, old, node.list_keys)
                    if former is not ABSENT:
                        del causes[before:]
                        looked = item(each, f"{path}[{index}]", causes, former)
                count += looked
        if shortest is not None and len(value) < shortest:
            causes.append(_invalid(path, len(value), f"should have at least {shortest} items"))
        if longest is not None and len(value) > longest:
            causes.append(errors.too_many(path, len(value), longest))
        return count

    return step


def _former(item: Any, old: Any, keys: tuple[str, ...]) -> Any:
    """What the item of a list of type map was in the old list; ABSENT where it was not there."""
    if not isinstance(item, dict) or not isinstance(old, list):
        return ABSENT
    former = (each for each in old if isinstance(each, dict))
    return next((each for each in former if all(same(each.get(key), item.get(key)) for key in keys)), ABSENT)


def _enum(allowed: list[Any]) -> Step:
    strings = frozenset(each for each in allowed if isinstance(each, str))

    def step(value: Any, path: str, causes: list[Cause], _: Any) -> int:
        if isinstance(value, str):
            if value in strings:
                return 0
        elif value is not None and any(same(_converted(value, each), each) for each in allowed):
            return 0
        spoken = [each if isinstance(each, str) else errors.quoted(each) for each in allowed]
        causes.append(errors.unsupported_value(path, value, spoken))
        return 0

    return step


def _converted(value: Any, allowed: Any) -> Any:
    """A number as the server compares it: cut to an integer where the allowed value is one."""
    return int(value) if isinstance(value, float) and type(allowed) is int else value


def _object(node: Node) -> Step:
    known_fields = {name: compile_check(child) for name, child in node.properties.items()}
    rest = compile_check(node.additional) if isinstance(node.additional, Node) else None
    closed = node.additional is False
    required: list[str] = node.raw.get("required", [])
    tracked = node.map_type != "atomic"
    most, fewest = node.raw.get("maxProperties"), node.raw.get("minProperties")

    def step(value: dict[str, Any], path: str, causes: list[Cause], old: Any) -> int:
        count = 0
        prefix = f"{path}." if path else ""
        former = old if tracked and isinstance(old, dict) else {}
        if fewest is not None and len(value) < fewest:
            causes.append(_invalid(path, len(value), f"should have at least {fewest} properties"))
        if most is not None and len(value) > most:
            causes.append(errors.too_many(path, len(value), most))
        for name, each in value.items():
            check = known_fields.get(name)
            if check is not None:
                count += check(each, prefix + name, causes, former.get(name, ABSENT))
            elif closed:
                text = f"{path}.{name} in body is a forbidden property"
                causes.append(errors.invalid_value(path or NOWHERE, name, text))
            elif rest is not None:
                count += rest(each, prefix + name, causes, former.get(name, ABSENT))
        causes.extend(errors.required(prefix + name) for name in required if name not in value)
        return count

    return step


def _combinations(node: Node) -> Step | None:
    if not (node.all_of or node.any_of or node.one_of or node.negated):
        return None
    any_of = [compile_check(branch) for branch in node.any_of]
    one_of = [compile_check(branch) for branch in node.one_of]
    all_of = [compile_check(branch) for branch in node.all_of]
    negated = compile_check(node.negated) if node.negated is not None else None

    def tried(checks: list[Check], value: Any, path: str) -> list[tuple[list[Cause], int]]:
        results = []
        for check in checks:
            found: list[Cause] = []
            results.append((found, check(value, path, found, ABSENT)))
        return results

    def step(value: Any, path: str, causes: list[Cause], _: Any) -> int:
        count = 0
        subject = errors.quoted(path)
        if any_of:
            results = tried(any_of, value, path)
            passed = [each for each in results if not each[0]]
            if not passed:
                causes.append(_nowhere(f"{subject} must validate at least one schema (anyOf)"))
            found, looked = passed[0] if passed else _best(results)
            causes.extend(found)
            count += looked
        if one_of:
            results = tried(one_of, value, path)
            passed = [each for each in results if not each[0]]
            if len(passed) == 1:
                count += passed[0][1]
            else:
                detail = f"Found {len(passed)} valid alternatives" if passed else "Found none valid"
                causes.append(_nowhere(f"{subject} must validate one and only one schema (oneOf). {detail}"))
                if not passed:
                    found, looked = _best(results)
                    causes.extend(found)
                    count += looked
        if all_of:
            results = tried(all_of, value, path)
            for found, looked in results:
                causes.extend(found)
                count += looked
            failed = sum(bool(found) for found, _ in results)
            if failed:
                detail = ". None validated" if failed == len(all_of) else ""
                causes.append(_nowhere(f"{subject} must validate all the schemas (allOf){detail}"))
        if negated is not None and not tried([negated], value, path)[0][0]:
            causes.append(_nowhere(f"{subject} must not validate the schema (not)"))
        return count

    return step


def _best(results: list[tuple[list[Cause], int]]) -> tuple[list[Cause], int]:
    return max(results, key=lambda result: result[1])  # the first of equals, as max does

"""Writes docs/api-reference.md from the CRDs: `api_reference.py CRDS TARGET [--check]`.

With --check nothing is written; the exit code is 1 where the file is not what would be written.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Schema = dict[str, Any]

ORDER = ["Composition", "Deployment", "DeployedNode", "Testbed"]
CHANGE = "A change while it runs: "

INTRODUCTION = """\
# API reference

<!-- Written by `make docs` from crds/*.yaml; change those instead. -->

Group `nxc.dev`, version `v1alpha1`, category `nxc` (`kubectl get nxc`). `kubectl explain` has the same text.

`kubectl get deployments` means those of apps/v1: type `nxd` or `deployments.nxc.dev`.
"""


def fields(schema: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
    """Every field below `schema`, depth first: its path, its schema, and whether it is required."""
    for name, field in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        yield here, field, name in schema.get("required", [])
        yield from fields(field, here)
        if "items" in field:
            yield from fields(field["items"], f"{here}[]")


def type_of(schema: Schema) -> str:
    match schema:
        case {"type": "array", "items": items}:
            return f"[]{type_of(items)}"
        case {"additionalProperties": values}:
            return f"map of {type_of(values)}"
        case {"type": "string", "format": "date-time"}:
            return "time"
        case _:
            return str(schema["type"])


def limits(schema: Schema) -> Iterator[str]:
    """What the schema demands of a value, in words."""
    if "default" in schema:
        yield f"Default `{json.dumps(schema['default'])}`."
    if "enum" in schema:
        yield "One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + "."
    if "minimum" in schema or "maximum" in schema:
        yield (
            f"From {schema.get('minimum', '…')} to {schema['maximum']}."
            if "maximum" in schema
            else "Not negative."
        )
    if "maxItems" in schema:
        kind = {
            "set": ", no value twice",
            "map": ", one for each " + "".join(schema.get("x-kubernetes-list-map-keys", [])),
        }
        yield f"At most {schema['maxItems']} items{kind.get(schema.get('x-kubernetes-list-type', ''), '')}."
    if "maxProperties" in schema:
        yield f"At most {schema['maxProperties']} entries."
    if "maxLength" in schema:
        yield f"At most {schema['maxLength']} characters."
    for holder in (schema, schema.get("items", {})):
        if "pattern" in holder:
            yield f"Pattern `{holder['pattern']}`."
        for rule in holder.get("x-kubernetes-validations", []):
            yield f"Rule: {' '.join(rule['message'].split())}."


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def kind_section(crd: dict[str, Any]) -> Iterator[str]:
    names, version = crd["spec"]["names"], crd["spec"]["versions"][0]
    schema: Schema = version["schema"]["openAPIV3Schema"]
    yield f"## {names['kind']}"
    yield " ".join(schema["description"].split())
    yield (
        f"`{names['plural']}.{crd['spec']['group']}`, short `{names['shortNames'][0]}`; "
        f"{'cluster-scoped' if crd['spec']['scope'] == 'Cluster' else 'namespaced'}; subresource `status`."
    )
    if selectable := version.get("selectableFields"):
        yield "Field selectors: " + ", ".join(f"`{field['jsonPath'][1:]}`" for field in selectable) + "."
    for rule in schema.get("x-kubernetes-validations", []):
        yield f"Rule: {' '.join(rule['message'].split())}."
    for part in ("spec", "status"):
        yield f"### {names['kind']}.{part}"
        yield cell(schema["properties"][part]["description"])
        yield "\n".join(rows(schema["properties"][part], part))
        if (names["kind"], part) == ("Deployment", "spec"):
            yield "### What a change does to a running deployment"
            yield "\n".join(changes(schema["properties"]["spec"]))


def rows(schema: Schema, part: str) -> Iterator[str]:
    yield "| field | type | meaning |\n|---|---|---|"
    for path, field, required in fields(schema, part):
        words = [cell(field["description"]), *(["**Required.**"] if required and part == "spec" else [])]
        yield f"| `{path}` | {type_of(field)} | {' '.join([*words, *map(cell, limits(field))])} |"


def changes(spec: Schema) -> Iterator[str]:
    yield "| field | a change |\n|---|---|"
    for path, field, _ in fields(spec, "spec"):
        _, found, effect = cell(field["description"]).partition(CHANGE)
        if found:
            yield f"| `{path}` | {effect} |"


def reference(crds: Path) -> str:
    loaded = [yaml.safe_load(path.read_text("utf-8")) for path in crds.glob("*.yaml")]
    loaded.sort(key=lambda crd: ORDER.index(crd["spec"]["names"]["kind"]))
    return "\n\n".join([INTRODUCTION.strip(), *(part for crd in loaded for part in kind_section(crd))]) + "\n"


def main(crds: Path, target: Path, *, check: bool) -> None:
    text = reference(crds)
    if not check:
        target.write_text(text, "utf-8")
    elif not target.exists() or target.read_text("utf-8") != text:
        sys.exit(f"{target} is not what {crds}/ says: run `make docs` and commit it")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), check="--check" in sys.argv[3:])

"""From a project of nixos-compose to manifests, and what is not the same after the move. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from controller.model.errors import UserError
from controller.model.kinds import COMPOSITION, CONFIGMAP, DEPLOYMENT, Kind
from controller.model.names import DEPLOYMENT_NAME_LIMIT
from controller.plugin.expression import blanked
from controller.plugin.project import FLAKE, SETUP, Note, Project, changed, lost

INLINE_LIMIT = 512 * 1024
"""Bytes of `spec.source.inline` that the schema accepts."""
FLAVOURS = {
    "vm": ("vm-ramdisk", "its store is in the image, not shared with the host"),
    "nspawn": ("docker", "containers are Docker's"),
    "g5k-nfs-store": ("g5k-ramdisk", "its store is in memory, not on NFS"),
}
"""Flavours of nixos-compose that are not there, each with the nearest and what is different then."""
SAME = ("docker", "vm-ramdisk", "g5k-ramdisk", "g5k-image")
_KNOWN = {"composition", "default_flavour", "platform", "flake"}
_RESERVED = {"project", "params", "options", "build", "overrides", "override-params"}
_GONE = (
    (r"\bpostMountCommands\b|\bextraUtilsCommands\b", "the initrd is systemd's: use boot.initrd.systemd.services"),
    (r"\bpermitRootLogin\b", "today services.openssh.settings.PermitRootLogin"),
    (r"\bbinaryCaches\b|\bnix\.maxJobs\b", "today nix.settings.substituters and max-jobs"),
    (r"\bnixosTest\b|\bsubstituteAll\b", "today pkgs.testers.runNixOSTest, pkgs.replaceVars"),
    (r"<nixpkgs[^>]*>", "evaluation is pure: use pkgs and modulesPath"),
    (r"\bbuiltins\.(fetch\w+|getEnv|currentTime)\b|\bfetchTarball\b", "evaluation is pure: nothing is fetched"),
    (r"\bhelpers\.callPackage\b", "pkgs.callPackage"),
    (r"\b(?:initialP|hashedP|initialHashedP|p)assword\s*=", "no image carries one: use spec.authorizedKeys"),
    (r"\broot-sshKeys\b", "no image carries a key: keys come with the Deployment (spec.authorizedKeys)"),
    (r"\bnspawnPorts\b", "there are no nspawn containers"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for, beside the project."""

    name: str
    flavour: str = ""
    variant: str = ""
    select: str = ""
    package_source: str = ""
    git_url: str = ""
    git_ref: str = ""
    git_path: str = ""


@dataclass(frozen=True, slots=True)
class Migration:
    """Manifests in the order in which they are applied, and notes."""

    manifests: tuple[dict[str, Any], ...]
    notes: tuple[Note, ...]


def migrate(project: Project, wanted: Wanted) -> Migration:
    """The manifests of a project. Raises `UserError` for what the command line asks and the project has not."""
    notes = list(project.notes)
    manifests: list[dict[str, Any]] = []
    variant = _variant(project, wanted, notes)
    options = _options(project, variant, notes)
    flavour, chosen = _flavour(project, wanted, options, notes)
    source = _source(project, wanted, manifests, notes)
    select = wanted.select or chosen
    names = project.compositions
    if select and names and select not in names:
        raise UserError("BadProject", f"there is no composition {select!r}; there are: {', '.join(names)}")
    for one in [select] if select or not names else names:
        name = wanted.name if len(names) < 2 or select else dns_label(f"{wanted.name}-{one}")
        manifests.append(_composition(name, source, one, variant, wanted))
        manifests += _deployments(name, project, flavour, options)
    notes += _elsewhere(project)
    notes += _hosts(project)
    return Migration(tuple(manifests), tuple(dict.fromkeys(notes)))


def dns_label(text: str) -> str:
    """A name for objects, as near to the text as a Deployment may be called."""
    label = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:DEPLOYMENT_NAME_LIMIT].strip("-")
    return label or "project"


def rendered(manifests: Sequence[Mapping[str, Any]]) -> str:
    """As kubectl takes them: YAML, texts of several lines as they are."""
    return "---\n".join(yaml.dump(m, Dumper=_Dumper, sort_keys=False, width=110) for m in manifests)


def folder(migration: Migration, project: Project) -> dict[str, bytes]:
    """The same as files of a folder that `kubectl apply -k` takes, with the source's files as files."""
    files: dict[str, bytes] = {}
    kustomization: dict[str, Any] = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    resources = []
    for kind, file in ((COMPOSITION, "composition.yaml"), (DEPLOYMENT, "deployment.yaml")):
        found = [m for m in migration.manifests if m["kind"] == kind.kind]
        files[file] = rendered(found).encode()
        resources.append(file)
    kustomization["resources"] = resources
    for manifest in migration.manifests:
        if manifest["kind"] == CONFIGMAP.kind:
            generator = {
                "name": manifest["metadata"]["name"],
                "files": [f"{_key(path)}=source/{path}" for path in project.files],
            }
            kustomization["configMapGenerator"] = [generator]
            # the Composition names it, and kustomize does not know that it does
            kustomization["generatorOptions"] = {"disableNameSuffixHash": True}
            files |= {f"source/{path}": data for path, data in project.files.items()}
    files["kustomization.yaml"] = rendered([kustomization]).encode()
    return dict(sorted(files.items()))


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, lists set in."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _object(kind: Kind, name: str, **rest: Any) -> dict[str, Any]:
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, **rest}


def _source(
    project: Project, wanted: Wanted, manifests: list[dict[str, Any]], notes: list[Note]
) -> dict[str, Any]:
    """`spec.source`; where that takes a ConfigMap, that as well."""
    entry = {"entry": project.entry} if project.entry != "composition.nix" else {}
    if wanted.git_url:
        git = {"url": wanted.git_url, "ref": wanted.git_ref, "path": wanted.git_path}
        notes.append(changed("spec.source.git", "what is not pushed there is not seen"))
        return {"git": {name: value for name, value in git.items() if value}, **entry}
    only = project.files[project.entry]
    if len(project.files) == 1 and len(only) <= INLINE_LIMIT:
        return {"inline": only.decode(), **entry}
    data: dict[str, str] = {}
    binary: dict[str, str] = {}
    for path, content in project.files.items():
        try:
            data[_key(path)] = content.decode()
        except UnicodeDecodeError:
            binary[_key(path)] = base64.b64encode(content).decode()
    if len(data) + len(binary) < len(project.files):
        raise UserError(
            "BadProject", "two files would have one key in a ConfigMap: keep the project in git (--git URL)"
        )
    name = f"{wanted.name}-source"
    extra = {"binaryData": binary} if binary else {}
    manifests.append(_object(CONFIGMAP, name, data=data, **extra))
    source: dict[str, Any] = {"configMap": {"name": name}, **entry}
    if any(_key(path) != path for path in project.files):
        source["configMap"]["items"] = [{"key": _key(path), "path": path} for path in project.files]
    return source


def _key(path: str) -> str:
    """The key of a ConfigMap for a file: folders have no place in it."""
    return re.sub(r"[^-._A-Za-z0-9]", "_", path.replace("/", "__"))


def _composition(
    name: str, source: Mapping[str, Any], select: str, variant: str, wanted: Wanted
) -> dict[str, Any]:
    spec: dict[str, Any] = {"source": dict(source)}
    if select:
        spec["select"] = select
    if variant:
        spec["setup"] = {"variant": variant}
    if wanted.package_source:
        spec["packageSource"] = {"name": wanted.package_source}
    return _object(COMPOSITION, name, spec=spec)


def _deployments(
    name: str, project: Project, flavour: str, options: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    parameters = str(options.get("kernel-params", "")).split()
    several = len(project.distributions) > 1
    for distribution in project.distributions or (None,):
        spec: dict[str, Any] = {"compositionRef": {"name": name}, "flavour": flavour}
        own = name
        if distribution is not None:
            spec["roles"] = [dict(role) for role in distribution.roles]
            stem = distribution.file.rsplit("/", 1)[-1].rsplit(".", 1)[0]
            own = dns_label(f"{name}-{stem}") if several else name
        if parameters:
            spec["kernelParameters"] = parameters
        yield _object(DEPLOYMENT, own, spec=spec)


def _variant(project: Project, wanted: Wanted, notes: list[Note]) -> str:
    variants = sorted(
        name for name, value in project.setup.items() if name not in _RESERVED and isinstance(value, dict)
    )
    if wanted.variant and wanted.variant not in variants:
        has = ", ".join(variants) or "none"
        raise UserError("BadProject", f"{SETUP} has no variant {wanted.variant!r} (only: {has})")
    selected = str((project.setup.get("project") or {}).get("selected") or "")
    if variants and not wanted.variant:
        used = f"{selected!r}, as [project] selected says" if selected else "none"
        notes.append(
            changed(SETUP, f"variants {', '.join(variants)}; taken is {used} (another: --setup NAME)")
        )
    return wanted.variant


def _options(project: Project, variant: str, notes: list[Note]) -> dict[str, Any]:
    """[options] of setup.toml, and those of the variant."""
    selected = variant or str((project.setup.get("project") or {}).get("selected") or "")
    options = dict(project.setup.get("options") or {})
    options |= (project.setup.get(selected) or {}).get("options") or {}
    strange = options.keys() - {"kernel-params", "flavour", "composition-flavour", "composition-file"}
    notes += (
        lost(SETUP, f"option {name} = {options[name]!r} is for the command nxc") for name in sorted(strange)
    )
    for table in (
        project.setup,
        *(v for k, v in project.setup.items() if isinstance(v, dict) and k not in _RESERVED),
    ):
        for package, change in (table.get("build") or {}).items():
            src = change.get("src") if isinstance(change, dict) else None
            if isinstance(src, str) and (src.startswith(("/", "~", "..")) or "://" in src):
                notes.append(lost(SETUP, f"build.{package}.src = {src!r}: only a path inside the source"))
    return options


def _flavour(
    project: Project, wanted: Wanted, options: Mapping[str, Any], notes: list[Note]
) -> tuple[str, str]:
    """The Deployment's flavour, and the composition that is chosen together with it."""
    chosen, _, with_it = str(options.get("composition-flavour", "")).partition("::")
    settings = project.settings
    written = options.get("flavour") or with_it or settings.get("default_flavour") or ""
    where = SETUP if options.get("flavour") or with_it else "nxc.json: default_flavour"
    if not isinstance(written, str):
        raise UserError("BadProject", f"nxc.json:1: default_flavour: {written!r} is no name")
    flavour = wanted.flavour
    if not flavour:
        flavour, different = FLAVOURS.get(written, (written or "vm-ramdisk", ""))
        if not written:
            notes.append(changed(where, f"no flavour is said: {flavour}"))
        elif different:
            notes.append(changed(where, f"{written} becomes {flavour}: {different}"))
        elif written not in SAME:
            notes.append(
                lost(
                    where, f"flavour {written!r} is none of {', '.join(SAME)}; the composition may define it"
                )
            )
    if platform := settings.get("platform"):
        notes.append(
            lost(
                "nxc.json: platform",
                f"{platform!r}: machines come from a Testbed that an administrator makes",
            )
        )
    unknown = sorted(settings.keys() - _KNOWN)
    notes += (lost("nxc.json", f"{name} = {settings[name]!r} is not known") for name in unknown)
    return flavour, chosen


def _elsewhere(project: Project) -> Iterator[Note]:
    """What the expressions use that is not there, or not the same."""
    for name, url in project.inputs.items():
        if name == "nixpkgs":
            yield changed(FLAKE, f"input nixpkgs ({url}): the package source's nixpkgs is taken")
        elif name not in ("nxc", "nixos-compose", "description"):
            yield lost(
                FLAKE,
                f"input {name} ({url}) is not fetched: put what the composition needs of it into the source",
            )
    for file, content in project.files.items():
        if not file.endswith(".nix"):
            continue
        for number, line in enumerate(blanked(content.decode()).splitlines(), 1):
            for pattern, instead in _GONE:
                if (found := re.search(pattern, line)) is not None:
                    yield lost(f"{file}:{number}", f"{found[0].rstrip(' =')}: {instead}")
            if file != FLAKE and (found := re.search(r"\bnur\.repos\.[\w.-]+", line)) is not None:
                yield lost(
                    f"{file}:{number}", f"{found[0]}: there is no NUR; put the package into the source"
                )


def _hosts(project: Project) -> Iterator[Note]:
    for distribution in project.distributions:
        for role in distribution.roles:
            if role.get("count") == 1:
                name = role["name"]
                yield changed(
                    distribution.file, f"the only node of role {name} is called {name}, and {name}1 as well"
                )

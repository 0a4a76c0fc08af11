"""The engine on real Nix: isolated evaluation and builds, with the packages of the seed or a nixpkgs."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from controller import shipped
from controller.build.engine import Evaluated, Facts, Order, Produced
from controller.build.image import physical, read_manifest, resolve, store_path
from controller.build.limits import BuildLimits, EvalLimits
from controller.build.nix import Nix
from controller.build.seed.seed import Seed
from controller.build.settings import BuildSettings, PackageSource, SourceKind
from controller.build.system import System
from controller.model.errors import UserError
from controller.model.manifest import Manifest

ROOT = "image-"
"""What the names of our roots begin with; the rest is the hash of the output's path."""
SYSTEM = "x86_64-linux"
STORE_PATHS = 256
"""Store paths that a status lists at most."""


class NixEngine:
    """A `controller.build.engine.Engine`. `settings.state` is the store's own; the seed's files are beside it."""

    def __init__(self, settings: BuildSettings) -> None:
        self._settings = settings
        self._expressions = shipped.folder("nix")
        self._nix: Nix | None = None
        self._seeds: dict[str, Seed] = {}
        self._nixpkgs: dict[str, str] = {}
        self._providing = asyncio.Lock()

    async def open(self) -> Facts:
        self._nix = await Nix.open(
            self._settings.state,
            expressions=self._expressions,
            trusted=self._settings.trusted,
            system=System(str(self._settings.nix_system or "")),
        )
        version = await self._nix.version()
        code = await asyncio.to_thread(_digest, self._expressions)
        isolation = self._nix.isolation
        return Facts(f"{version} {SYSTEM} {code}", () if isolation.full else tuple(isolation.lacks))

    @property
    def nix(self) -> Nix:
        """Nix, once it is open."""
        assert self._nix is not None, "the engine is not open"
        return self._nix

    async def pin(self, packages: PackageSource) -> str:
        if packages.kind == SourceKind.SEED:
            return (await asyncio.to_thread(self._seed(packages).status)).digest
        if packages.pin:
            return packages.pin
        return store_path(await self._path_of(packages)).removeprefix("/nix/store/")

    def note(self, packages: PackageSource) -> str:
        if packages.kind != SourceKind.SEED:
            return ""
        changes = self._seed(packages).status().differences
        if not changes:
            return ""
        shown = ", ".join(changes[:5]) + (f" and {len(changes) - 5} more" if len(changes) > 5 else "")
        return (
            f"package source {packages.name!r}: the mirrors no longer have all locked packages; now {shown}"
        )

    def _seed(self, packages: PackageSource) -> Seed:
        if packages.name not in self._seeds:
            place = self._settings.state / "seed"
            self._seeds[packages.name] = Seed(self._expressions, place, lock=packages.path)
        return self._seeds[packages.name]

    async def _path_of(self, packages: PackageSource) -> str:
        """The nixpkgs in the store; copied there once a run, so a changed directory is seen after a restart."""
        if packages.path is None:
            raise UserError(
                "NotConfigured", f"package source {packages.name!r} has no path; ask the administrator"
            )
        if packages.name not in self._nixpkgs:
            path = await self.nix.add_tree(packages.path, "nixpkgs")
            self.nix.root(f"packages-{packages.name}", path)
            self._nixpkgs[packages.name] = path
        return self._nixpkgs[packages.name]

    async def evaluate(self, order: Order, seconds: float) -> Evaluated:
        source = await self.nix.add_tree(order.tree, "source")
        request = {
            "source": source,
            "entry": order.entry,
            "select": order.select,
            "setup": {"variant": order.setup["variant"], "parameters": dict(order.setup["parameters"])},
            "flavour": order.flavour,
            "packageSource": await self._package_source(order.packages),
        }
        told = await self.nix.evaluate(
            request,
            EvalLimits(seconds=seconds),
            import_from_derivation=order.packages.import_from_derivation,
        )
        return Evaluated(told.drv_path, told.out_path, told.roles, told.warnings, told.seconds)

    async def provide(self, order: Order, evaluated: Evaluated) -> str:
        if order.packages.kind != SourceKind.SEED:
            return order.pin
        async with self._providing:  # what several need is fetched once
            await self._seed(order.packages).provide(self.nix, evaluated.drv)
        return await self.pin(order.packages)  # the lock may have been renewed, by this or by another work

    async def _package_source(self, packages: PackageSource) -> dict[str, object]:
        if packages.kind == SourceKind.NIXPKGS:
            return {"kind": "nixpkgs", "path": await self._path_of(packages)}
        lock = self._seed(packages).lock_file
        return {
            "kind": "seed",
            "lock": await self.nix.add_tree(lock, "lock.json") if lock is not None else None,
        }

    async def build(
        self, evaluated: Evaluated, seconds: float, log: Path, progress: Callable[[str], None]
    ) -> None:
        await self.nix.realise(
            evaluated.drv,
            limits=BuildLimits(seconds=seconds),
            progress=lambda told: progress(str(told)),
            log=log,
        )

    async def inspect(self, evaluated: Evaluated, flavour: str) -> Produced:
        closure = await self.nix.closure(evaluated.output)
        text, manifest = await asyncio.to_thread(self._read, evaluated.output, frozenset(closure))
        if manifest.flavour != flavour:
            raise UserError(
                "ForgedManifest", f"the build is not usable: its manifest is of flavour {manifest.flavour!r}"
            )
        if strange := sorted(set(manifest.roles) ^ set(evaluated.roles)):
            raise UserError(
                "ForgedManifest",
                f"the build is not usable: role {strange[0]!r} is not both in its manifest and the composition",
            )
        files = manifest.files()
        return Produced(
            digest=f"sha256:{hashlib.sha256(text).hexdigest()}",
            store_paths=tuple(dict.fromkeys([evaluated.output, *map(store_path, files)]))[:STORE_PATHS],
            size=await asyncio.to_thread(self._size, files),
            closure_size=sum(info.nar_size for info in closure.values()),
            test_script=manifest.test_script,
            limitations=manifest.limitations,
        )

    async def manifest(self, output: str) -> tuple[str, Manifest, Mapping[str, int]]:
        closure = await self.nix.closure(output)
        text, manifest = await asyncio.to_thread(self._read, output, frozenset(closure))
        sizes = {path: info.nar_size for path, info in closure.items()}
        return f"sha256:{hashlib.sha256(text).hexdigest()}", manifest, sizes

    def _read(self, output: str, closure: frozenset[str]) -> tuple[bytes, Manifest]:
        root = self.nix.store_root
        text = read_manifest(root, output)
        manifest = Manifest.parse(text, closure)
        for file in manifest.files():
            resolve(root, file, closure)
        return text, manifest

    def _size(self, files: tuple[str, ...]) -> int:
        root = self.nix.store_root
        return sum(physical(root, resolve(root, file)).stat().st_size for file in files)

    async def check(self, drv: str, seconds: float, log: Path) -> str:
        return await self.nix.check(drv, limits=BuildLimits(seconds=seconds), log=log) or ""

    def keep(self, output: str) -> None:
        self.nix.root(_name(output), output)

    def let_go(self, output: str) -> None:
        self.nix.unroot(_name(output))
        self.nix.release(output)

    def kept(self) -> frozenset[str]:
        return frozenset(path for name, path in self.nix.roots().items() if name.startswith(ROOT))

    async def valid(self, output: str) -> bool:
        return await self.nix.valid(output)

    async def free(self) -> int:
        return (await asyncio.to_thread(shutil.disk_usage, self.root())).free

    async def used(self) -> int:
        return await asyncio.to_thread(_used, self.root() / "nix/store")

    async def collect(self, amount: int) -> int:
        return await self.nix.collect(amount)

    def root(self) -> Path:
        return self.nix.store_root


def _name(output: str) -> str:
    return ROOT + output.removeprefix("/nix/store/")[:32]


def _digest(directory: Path) -> str:
    """sha256 of the files below a directory, names and contents."""
    whole = hashlib.sha256()
    for file in sorted(path for path in directory.rglob("*") if path.is_file()):
        data = file.read_bytes()
        whole.update(f"{file.relative_to(directory)}\0{len(data)}\0".encode())
        whole.update(data)
    return whole.hexdigest()


def _used(directory: Path) -> int:
    """Bytes on disk below a directory, links counted as themselves."""
    total, stack = 0, [str(directory)]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total

"""The `cel` library's engine, without its command line.

`import cel` also imports a terminal toolkit for the library's interactive shell, which takes half a second of every
start. This loads the compiled module alone; a later `import cel` finds it there.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder
from types import ModuleType
from typing import Any


def _load() -> ModuleType:
    name = "cel.cel"
    if name in sys.modules:
        return sys.modules[name]
    package = importlib.util.find_spec("cel")
    for folder in (package.submodule_search_locations or []) if package is not None else []:
        spec = FileFinder(folder, (ExtensionFileLoader, EXTENSION_SUFFIXES)).find_spec(name)
        if spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)
            return module
    raise ImportError("the package common-expression-language is not installed, or not for this Python")


_engine = _load()
Program: Any = _engine.Program
Context: Any = _engine.Context
compile_program: Any = _engine.compile

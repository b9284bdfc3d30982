"""Where a filter's code lies, which version of it that is, and loading it."""

from __future__ import annotations

import difflib
import functools
import hashlib
import importlib
import importlib.util
import symtable
import sys
import traceback
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import CodeType
from typing import Any

from corpus.errors import CorpusError
from corpus.quality.filters.config import FilterConfig

# What the verdicts of datatrove's filters follow: words are spaCy's, domains tldextract's.
_PACKAGES = ("datatrove", "spacy", "tldextract")
# Put on the path for filters that this process has loaded: what lies there is not installed.
_FOLDERS: set[str] = set()


def identity(config: FilterConfig) -> str:
    """Digest of the module's file and, for datatrove's filters, versions of packages; what the module imports is not
    covered. Nothing is imported to know it.

    Raises CorpusError when the module is not there, cannot be read, or does not have the name.
    """
    path = _locate(config)[0]
    try:
        source = path.read_bytes()
        defined = _defined(source, path)
    except OSError as error:
        raise CorpusError(f"{config}: {path}: cannot be read ({error.strerror})") from error
    except SyntaxError as error:
        raise CorpusError(f"{config}: {path}:{error.lineno}: {error.msg}") from error
    except ValueError as error:
        raise CorpusError(f"{config}: {path}: is no Python source ({error})") from error
    if defined and config.attribute not in defined:
        near = difflib.get_close_matches(config.attribute, defined, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; correct `use` of filter {config.name}"
        raise CorpusError(f"{config}: {path} has no {config.attribute}{hint}")
    found = [f"{path.name} {hashlib.sha256(source).hexdigest()[:16]}"]
    if config.is_datatrove:
        found += [f"{name} {release}" for name in _PACKAGES if (release := _release(name))]
    return ", ".join(found)


def load(config: FilterConfig) -> Any:
    """What `use` names, imported. Raises CorpusError for anything that goes wrong on the way."""
    path, own = _locate(config)
    try:
        if own:
            if config.folder not in sys.path:
                _FOLDERS.add(config.folder)
                sys.path.append(config.folder)  # last: the modules beside it must not stand before installed ones
            module = _own(config.module, path, hashlib.sha256(path.read_bytes()).digest())
        else:
            module = importlib.import_module(config.module)
        return getattr(module, config.attribute)
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:
        raise CorpusError(f"{config}: cannot be imported: {describe(error)}") from error


def describe(error: BaseException) -> str:
    """One line: type, message and the place where it was raised."""
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r})"
    message = " ".join(f"{type(error).__name__}: {error}".split())
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return (message if len(message) <= 300 else f"{message[:299]}…") + place


def _locate(config: FilterConfig) -> tuple[Path, bool]:
    """(the module's file, whether it lies in the filter's folder)"""
    importlib.invalidate_caches()
    own, installed = _find(config.module, config.folder), _find(config.module)
    if own and installed and own.resolve() != installed.resolve():
        raise CorpusError(f"{config}: {config.module} is both {own} and, installed, {installed}; rename yours")
    path = own or installed
    if path is None:
        raise CorpusError(
            f"{config}: there is no module {config.module} in {config.folder}, and none is installed; "
            f"correct `use` or `folder` of filter {config.name}"
        )
    return path, own is not None


def _find(module: str, folder: str | None = None) -> Path | None:
    """The file of a module in a folder, or of an installed one. Unlike `find_spec`, imports no package on the way."""
    path = [entry for entry in sys.path if entry not in _FOLDERS] if folder is None else [folder]
    others: list[Any] = [] if folder else [finder for finder in sys.meta_path if finder is not PathFinder]
    spec: ModuleSpec | None = None
    parts = module.split(".")
    for size in range(1, len(parts) + 1):
        name = ".".join(parts[:size])
        found = (finder.find_spec(name, path if size > 1 else None) for finder in others)
        spec = PathFinder.find_spec(name, path) or next((item for item in found if item), None)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or ())
    return Path(spec.origin) if spec and spec.origin and Path(spec.origin).suffix == ".py" else None


def _defined(source: bytes, path: Path) -> set[str]:
    """The names that a module gives itself; empty when only running it can tell."""
    table = symtable.symtable(source.decode(), str(path), "exec")
    names = {item.get_name() for item in table.get_symbols() if item.is_assigned() or item.is_imported()}
    return set() if b"import *" in source or "__getattr__" in names else names


class _Fresh(SourceFileLoader):
    """Compiles what lies in the file: byte code from before an edit of the same second and size counts as current."""

    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


@functools.lru_cache(maxsize=64)
def _own(module: str, path: Path, digest: bytes) -> Any:
    """The module in a file of this digest; a worker lives longer than an edit."""
    if parent := module.rpartition(".")[0]:
        importlib.import_module(parent)
    spec = importlib.util.spec_from_file_location(module, path, loader=_Fresh(module, str(path)))
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no module")
    made = importlib.util.module_from_spec(spec)
    before = sys.modules.get(module)
    sys.modules[module] = made
    try:
        spec.loader.exec_module(made)
    except BaseException:
        sys.modules.pop(module)
        if before is not None:
            sys.modules[module] = before
        raise
    return made


def _release(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

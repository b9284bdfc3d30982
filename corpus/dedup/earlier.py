"""Which earlier deliveries a new one is compared with, where they lie, and whether they can be compared with.

The output folder of a delivery that was deduplicated is its index: signatures, and who duplicates whom. What that
delivery was itself compared with belongs to it, so `dedup.against` is followed from folder to folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from corpus.dataset import Delivery, Layer, View
from corpus.dedup.config import DedupConfig
from corpus.dedup.delivery import SETTLED
from corpus.dedup.stage import SIGNED_BY, steps
from corpus.errors import BusyError, InputError, RecipeError
from corpus.plan import ALL, DELIVERY
from corpus.recipe import Recipe, load
from corpus.report.outputs import BASE, Outputs
from corpus.store import Entry, StepFolder

SIGNATURES, CLUSTERS = "dedup/signatures", "dedup/clusters"
Identity = tuple[int, int]


@dataclass(frozen=True)
class Folder:
    """An earlier delivery; `before` are those that it was compared with, oldest first."""

    path: Path
    recipe: Recipe
    before: tuple[Identity, ...]

    @functools.cached_property
    def outputs(self) -> Outputs:
        return Outputs.of(self.recipe, self.path)

    def entries(self, step: str) -> dict[str, Entry]:
        return StepFolder(self.path / step).entries()


@dataclass
class _Walk:
    """Follows `against` depth first, into each folder once by whatever path it is named."""

    root: Path
    stack: contextlib.ExitStack | None
    found: dict[Identity, Folder] = field(default_factory=dict)

    def closure(self, recipe: Recipe, way: tuple[Path, ...] = ()) -> tuple[Identity, ...]:
        """The deliveries that one of `recipe` is compared with, oldest first."""
        order: dict[Identity, None] = {}
        for path in recipe.dedup.against if recipe.dedup else ():
            identity = self._visit(path, way)
            order |= dict.fromkeys((*self.found[identity].before, identity))
        return tuple(order)

    def _visit(self, path: Path, way: tuple[Path, ...]) -> Identity:
        identity = _identity(path)
        if identity is None:
            which, what = "", "name where it lies, or leave it out"
            if way:
                which = f" ({way[-1]} was compared with it)"
                what = f"if it was moved, `corpus dedup {way[-1]} --against PLACE`, or else leave it out"
            raise InputError(f"dedup.against: {path}: no such folder{which}; {what}")
        if identity == _identity(self.root):
            which = f"{way[-1]} was compared with {path}, which" if way else f"{path}"
            raise RecipeError(
                f"dedup.against: {which} is this output folder; a delivery is compared with earlier ones, not with "
                "itself"
            )
        if identity in map(_identity, way):
            raise RecipeError(
                f"dedup.against: {path} and {way[-1]} were each compared with the other; "
                f"`corpus dedup {way[-1]} --set against=[]` makes it the earlier one"
            )
        if identity not in self.found:
            if self.stack is not None:
                self.stack.enter_context(_shared(path))
            try:
                recipe = load(path)
            except RecipeError as error:
                raise InputError(f"dedup.against: {str(error).splitlines()[0]}") from error
            self.found[identity] = Folder(path, recipe, self.closure(recipe, (*way, path)))
        return identity


@contextlib.contextmanager
def reading(recipe: Recipe, root: Path) -> Iterator[tuple[Delivery, ...]]:
    """The deliveries that `root` is compared with, oldest first; no run changes them meanwhile.

    A delivery is older than those which were compared with it and than those after it in `against`. Raises InputError,
    RecipeError or CorpusError for one that is missing, not deduplicated, out of date, without the texts that `verify`
    needs, or signed with other settings; BusyError when a run is at work on it.
    """
    with contextlib.ExitStack() as stack:
        walk = _Walk(root, stack)
        order = walk.closure(recipe)
        config = recipe.dedup or DedupConfig()
        for identity in order:
            folder = walk.found[identity]
            _comparable(folder, config)
            _settled(folder, [walk.found[older] for older in folder.before])
        views = [_view(walk.found[identity], config.verify) for identity in order]
        before = [tuple(map(order.index, walk.found[identity].before)) for identity in order]
        yield tuple(Delivery(v.root, v.layers, v.base, own) for v, own in zip(views, before, strict=True))


def places(recipe: Recipe, root: Path) -> list[Path]:
    """Where the deliveries lie, in the order of `reading`, in whatever state. Raises CorpusError when one is gone."""
    walk = _Walk(root, None)
    return [walk.found[identity].path for identity in walk.closure(recipe)]


def inputs(deliveries: tuple[Delivery, ...]) -> dict[str, str]:
    """name -> sha256 of the committed files that are read; names tell which delivery, not where it lies."""
    found: dict[str, str] = {}
    for number, view in enumerate(deliveries, 1):
        own = [layer for layer in view.layers if layer.step != CLUSTERS]
        signed = [name for layer in own if layer.step == SIGNATURES for name in layer.columns]
        columns = ["id", *signed, *(["text"] if view.base == BASE else [])]
        plain = View(view.root, tuple(own), view.base)
        files = {k: v for partition in plain.partitions() for k, v in plain.inputs(partition, columns).items()}
        files |= _files(StepFolder(view.root / CLUSTERS).entries(), CLUSTERS)
        found |= {f"{DELIVERY}{number}/{name}": sha for name, sha in files.items()}
    return found


def _identity(path: Path) -> Identity | None:
    """Device and inode: the same by whatever path."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if path.is_dir() else None


@contextlib.contextmanager
def _shared(path: Path) -> Iterator[None]:
    """Keep runs from working on a folder, but none from comparing with it. Writes nothing there."""
    try:
        stream = (path / "run.lock").open("rb")
    except FileNotFoundError:
        yield
        return
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            holder = stream.read(200).decode("utf-8", "replace").strip() or "another process"
            raise BusyError(f"dedup.against: {path}: {holder} is working on it; wait for it to end") from error
        yield


def _comparable(folder: Folder, config: DedupConfig) -> None:
    theirs = folder.recipe.dedup
    if theirs is None:
        raise InputError(f"dedup.against: {folder.path}: was not deduplicated; `corpus dedup {folder.path}` does it")
    mine, other = (json.loads(one.model_dump_json(include=set(SIGNED_BY))) for one in (config, theirs))
    for key in SIGNED_BY:
        if mine[key] != other[key]:
            here, there = (json.dumps(one[key], ensure_ascii=False) for one in (mine, other))
            raise RecipeError(
                f"dedup.{key} is {here} here and {there} in {folder.path}, so signatures cannot be compared; "
                f"set dedup.{key}={there} here, or run dedup there with {here}"
            )
    texts = folder.entries(BASE)
    if texts and not any(_missing(folder, BASE)):
        folder.outputs.require("dedup")
    elif config.verify:
        raise InputError(
            f"dedup.against: {folder.path}: its texts ({BASE}/) are gone, and `verify` reads them; put them back, or "
            "set dedup.verify=false, which compares the signatures alone"
        )


def _settled(folder: Folder, before: list[Folder]) -> None:
    """Raise InputError unless signatures and clusters are there, and of each other, and of those before it now."""
    mend = f"`corpus dedup {folder.path}` brings it up to date"
    signed, clustered = folder.entries(SIGNATURES), folder.entries(CLUSTERS)
    if not signed or ALL not in clustered:
        raise InputError(f"dedup.against: {folder.path}: was not deduplicated to the end; {mend}")
    for step in steps(folder.recipe):
        if step.name in (SIGNATURES, CLUSTERS):
            if any(entry.version != step.version for entry in folder.entries(step.name).values()):
                raise InputError(
                    f"dedup.against: {folder.path}: its {step.name} are of another version of the code; {mend}"
                )
            for fault in _missing(folder, step.name):
                raise InputError(f"dedup.against: {fault}; {mend}")
    now = _files(signed, SIGNATURES)
    for number, older in enumerate(before, 1):
        for name in (SIGNATURES, CLUSTERS):
            now |= _files(older.entries(name), f"{DELIVERY}{number}/{name}")
    then = {name: sha for name, sha in clustered[ALL].inputs.items() if SIGNATURES in name or CLUSTERS in name}
    if now != then:
        raise InputError(f"dedup.against: {folder.path}: is out of date, what it compared has changed since; {mend}")


def _missing(folder: Folder, step: str) -> Iterator[str]:
    for entry in folder.entries(step).values():
        yield from StepFolder(folder.path / step).missing(entry)


def _files(entries: dict[str, Entry], step: str) -> dict[str, str]:
    """Of each partition's table, and of nothing beside it."""
    return {f"{step}/{f.path}": f.sha256 for e in entries.values() for f in e.files if not f.path.startswith("_")}


def _view(folder: Folder, texts: bool) -> View:
    """With its texts as they were signed, or with signatures alone."""
    clusters = Layer(CLUSTERS, SETTLED)
    if texts:
        view = folder.outputs.view(CLUSTERS, inclusive=False)
        return View(view.root, (*view.layers, clusters), view.base)
    signed = next(step for step in steps(folder.recipe) if step.name == SIGNATURES)
    return View(folder.path, (Layer(SIGNATURES, signed.adds), clusters), SIGNATURES)

"""Running a recipe: one driver at a time, step after step, only what is stale."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import importlib.util
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from corpus.engines import Engine, Job
from corpus.errors import BusyError, CorpusError, InputError
from corpus.flow import Flow
from corpus.plan import Stale, Step, Task, stale
from corpus.recipe import NAME, Recipe, dump
from corpus.sources import Piece, discover
from corpus.sources.pieces import GROUPED
from corpus.store import MANIFEST, TEMPORARY, Entry, StepFolder, sha256_file, write_atomic

LOCK = "run.lock"


class Observer(Protocol):
    """What a run tells while it goes on; the command line draws it."""

    def begin(self, step: Step, tasks: int, stale: Sequence[Stale]) -> None: ...
    def progress(self, step: Step, rows: int) -> None: ...
    def committed(self, step: Step, entry: Entry) -> None: ...
    def end(self, step: Step, compiling: float) -> None: ...


class Silent:
    """An observer that says nothing."""

    def begin(self, step: Step, tasks: int, stale: Sequence[Stale]) -> None: ...
    def progress(self, step: Step, rows: int) -> None: ...
    def committed(self, step: Step, entry: Entry) -> None: ...
    def end(self, step: Step, compiling: float) -> None: ...


@dataclass(frozen=True)
class Limits:
    """`workers` processes; `memory_mb` of resident memory each; a task without a beat for `hang_seconds` hangs."""

    workers: int = 0
    memory_mb: int = 4096
    hang_seconds: float = 600.0


@dataclass
class Summary:
    """What a run did: tasks done and tasks that were up to date, by step; seconds by step, and how many of them
    went into compiling kernels (never stored)."""

    done: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    compiling: float = 0.0


def output_of(recipe: Recipe) -> Path:
    """The recipe's output folder, absolute. Raises CorpusError when the recipe names none."""
    if recipe.output is None:
        raise CorpusError("the recipe names no `output` folder; add one, or `--set output=data/mine`")
    return recipe.output.absolute()


def run(
    recipe: Recipe,
    *,
    until: str | None = None,
    limits: Limits = Limits(),
    observer: Observer | None = None,
    engine: Callable[[Limits], Engine] | None = None,
) -> Summary:
    """Do what is stale up to stage `until` (all when None). `engine` makes the engine that runs a step's tasks.

    Raises BusyError when another driver works on the output folder, InputError and RecipeError before anything is
    written, TaskError or the task's own CorpusError after every other task of the step has been done.
    """
    root, watch = output_of(recipe), observer or Silent()
    flow = Flow.of(recipe, root)
    _require(flow.until(until))
    flow.prove(flow.until(until))
    summary = Summary()
    with contextlib.ExitStack() as stack:
        if root.is_dir():
            # Before the sources are looked through, so that a second driver is turned away at once.
            stack.enter_context(lock(root))
            pieces = find(recipe)
        else:
            pieces = find(recipe)
            stack.enter_context(lock(root))
        _refuse_foreign(flow)
        for path in root.glob(f"{TEMPORARY}*"):
            path.unlink()
        resolved = dump(recipe)
        if not (root / NAME).is_file() or (root / NAME).read_text(encoding="utf-8") != resolved:
            write_atomic(root / NAME, resolved)
        digests = source_digests(root, pieces)
        engines: dict[bool, Engine] = {}
        for step in flow.until(until):
            with flow.reading(step):
                tasks = flow.tasks(step, pieces, digests)
                tasks = [replace(task, memory_mb=limits.memory_mb) for task in tasks]
                todo = _prepare(root, step, tasks)
                summary.kept[step.name] = len(tasks) - len(todo)
                if not todo:
                    continue
                start = time.monotonic()
                watch.begin(step, len(tasks), todo)
                if step.limited not in engines:
                    shared = engine(_limits(limits, step)) if engine else _local(_limits(limits, step))
                    engines[step.limited] = stack.enter_context(shared)
                try:
                    _map(engines[step.limited], step, todo, watch)
                finally:
                    # What killed workers left; the engine has none at work now. Checkpoints stay until their task is
                    # done.
                    StepFolder(root / step.name).clean(keep={item.task.work for item in todo})
                compiling = engines[step.limited].compiling_seconds
                watch.end(step, compiling)
                summary.compiling += compiling
                summary.done[step.name] = len(todo)
                summary.seconds[step.name] = time.monotonic() - start
    return summary


def _require(steps: Sequence[Step]) -> None:
    """Raise CorpusError for a package that a step needs and that is not installed."""
    for step in steps:
        for module in step.requires:
            if importlib.util.find_spec(module) is None:
                # `language/second` is the key `second` of its stage.
                key = step.name.replace("/", ".")
                raise CorpusError(
                    f"{step.name} needs {module}, which is not installed: pip install 'corpusmill[{step.stage}]', "
                    f"or leave it out with `--set {key}={'null' if '.' in key else 'false'}`"
                )


def find(recipe: Recipe) -> list[Piece]:
    """Every partition of the recipe's sources. Raises InputError naming what is not there, or what cannot be read."""
    if recipe.truth is not None and not recipe.truth.is_file():
        raise InputError(
            f"truth: {recipe.truth}: no such file (relative to {Path.cwd()}); correct `truth` or leave it out"
        )
    pieces = [piece for source in recipe.sources for piece in discover(source)]
    root = f"{output_of(recipe)}{os.sep}" if recipe.output else None
    for piece in pieces:
        for file in piece.files:
            if root and file.path.startswith(root):
                raise InputError(
                    f"source {piece.source}: {file.path} lies in the output folder; choose an `output` elsewhere"
                )
    return pieces


def _refuse_foreign(flow: Flow) -> None:
    """Raise CorpusError for a step's folder with files in it that no run of ours made."""
    for step in flow.steps:
        folder = flow.root / step.name
        if folder.is_dir() and not (folder / MANIFEST).is_dir():
            strays = StepFolder(folder).strays()
            if strays:
                raise CorpusError(f"{strays[0]}: was not written by corpus; move it, or choose another `output`")


def _prepare(root: Path, step: Step, tasks: Sequence[Task]) -> list[Stale]:
    """Forget partitions that the input no longer has, remove rubbish, and return what is to be done."""
    folder = StepFolder(root / step.name)
    names = {task.partition for task in tasks}
    for name in folder.entries():
        if name not in names:
            folder.remove(name)
    todo = list(stale(tasks))
    folder.clean(keep={item.task.work for item in todo})
    return todo


def _limits(limits: Limits, step: Step) -> Limits:
    return limits if step.limited else Limits(1, 0, float("inf"))


def _local(limits: Limits) -> Engine:
    from corpus.engines.local import LocalEngine

    workers = limits.workers or len(os.sched_getaffinity(0))
    return LocalEngine(workers, memory_mb=limits.memory_mb, hang_seconds=limits.hang_seconds)


def _map(engine: Engine, step: Step, todo: Sequence[Stale], watch: Observer) -> None:
    jobs = [Job("corpus.execute:execute", item.task.name, item.task) for item in todo]
    engine.map(
        jobs,
        lambda job, entry: watch.committed(step, entry),
        lambda job, rows: watch.progress(step, rows),
    )


def source_digests(root: Path, pieces: Sequence[Piece]) -> dict[str, str]:
    """path -> sha256 of every local source file, and the identity of every other.

    Files of known size and time are not read again. Raises InputError for a file that cannot be read.
    """
    path = root / ".cache" / "digests.json"
    try:
        cache = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        cache = {}
    fresh: dict[str, list[Any]] = {}
    elsewhere: dict[str, str] = {}
    for piece in pieces:
        for file in piece.files:
            if file.identity:
                elsewhere[file.path] = file.identity
                continue
            try:
                status = Path(file.path).stat()
                seen = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
                known = cache.get(file.path) if isinstance(cache, dict) else None
                if isinstance(known, list) and known[:-1] == seen:
                    fresh[file.path] = known
                else:
                    fresh[file.path] = [*seen, sha256_file(Path(file.path))]
            except OSError as error:
                if piece.kind not in GROUPED and piece.kind != "code":
                    raise InputError(
                        f"{file.path}: cannot be read ({error.strerror}); mend it or leave it out"
                    ) from error
                # One page of many: it becomes an `unreadable` row, and is read again once it can be.
                fresh[file.path] = [f"unreadable: {error.strerror}"]
    if fresh != cache:
        write_atomic(path, json.dumps(fresh))
    return {name: known[-1] for name, known in fresh.items()} | elsewhere


def busy(path: Path) -> BusyError | None:
    """An error for who reads in an output folder, at `path`, while a run holds it; None when none does."""
    root = next((folder for folder in path.absolute().parents if (folder / LOCK).is_file()), None)
    if root is None:
        return None
    with contextlib.suppress(OSError), (root / LOCK).open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return BusyError(f"{root}: a run is going on and replaces what was to be read; try again when it has ended")
    return None


@contextlib.contextmanager
def lock(root: Path) -> Iterator[None]:
    """Hold the output folder. Raises BusyError at once when another driver holds it."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        stream = (root / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise CorpusError(f"{root}: cannot be written ({error.strerror}); choose another `output`") from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            stream.seek(0)
            holder = stream.read().strip() or "another process"
            with contextlib.suppress(OSError):
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
                raise BusyError(
                    f"{root}: a later delivery is being compared with it; wait for that to end, or stop it"
                ) from error
            raise BusyError(f"{root}: {holder} is working on it; wait for it to end, or stop it") from error
        stream.seek(0)
        stream.truncate()
        stream.write(f"process {os.getpid()} on {socket.gethostname()}")
        stream.flush()
        yield

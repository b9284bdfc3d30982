"""Doing one task: the worker's side of a run, which needs neither the recipe nor the stages that it does not do."""

from __future__ import annotations

import errno
import importlib
import shutil
from collections.abc import Callable

from corpus.errors import CorpusError
from corpus.plan import Task
from corpus.store import Entry, StepFolder, Writer


def execute(task: Task, beat: Callable[[int], None]) -> Entry:
    """Do one task and commit it; runs in a worker, on any engine. Returns the committed entry."""
    module, _, name = task.step.function.partition(":")
    function: Callable[[Task, Writer, Callable[[int], None]], None] = getattr(importlib.import_module(module), name)
    try:
        with Writer(StepFolder(task.folder()), task.partition) as out:
            function(task, out, beat)
            entry = out.commit(task.key, task.step.version, task.settings, task.inputs)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise CorpusError(
                f"{task.name}: no space left on device for {task.folder()}; free some and run the same command again, "
                "what is committed stays"
            ) from error
        raise
    shutil.rmtree(task.work, ignore_errors=True)
    return entry

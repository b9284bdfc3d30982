"""Code repositories in a folder: checkouts and archives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from corpus.errors import InputError

ARCHIVES = (
    ".zip", ".whl", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst",
)  # fmt: skip


def repositories(folder: str, where: str) -> tuple[str, list[str]]:
    """(root that their names are relative to, the checkouts and archives that `folder` stands for).

    The folder is itself one repository when it has a `.git`, or neither a sub-folder with one nor mostly archives in
    it. Else it is a collection: each sub-folder is one, whether it has a `.git` or not, and each archive; other files
    of a collection belong to no repository. Raises InputError for a bare repository, and for a folder that cannot be
    read; `where` begins the message.
    """
    folders: list[str] = []
    files: list[str] = []
    for name, path, is_folder in _entries(folder, where):
        if not name.startswith("."):
            (folders if is_folder else files).append(path)
    archives = [path for path in files if path.lower().endswith(ARCHIVES)]
    several = any(_has_git(path) for path in folders) or 2 * len(archives) > len(files)
    if _has_git(folder) or not several:
        _refuse_bare(folder, where)
        return str(Path(folder).parent), [folder]
    for path in folders:
        _refuse_bare(path, where)
    return folder, sorted([*folders, *archives])


def checkout(folder: str, where: str) -> list[str]:
    """The regular files of a checkout: no `.git`, no hidden folder, no link.

    git keeps a link as the path that it leads to: what is behind it is another file of the repository, or none of it.
    Raises InputError for a folder that cannot be read.
    """
    found: list[str] = []
    pending = [folder]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if not entry.name.startswith("."):
                            pending.append(entry.path)
                    elif entry.name != ".git" and entry.is_file(follow_symlinks=False):
                        found.append(entry.path)
        except OSError as error:
            raise InputError(f"{where}: {error.filename} cannot be read ({error.strerror}); allow it") from error
    return found


def _entries(folder: str, where: str) -> Iterator[tuple[str, str, bool]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                yield entry.name, entry.path, entry.is_dir()
    except OSError as error:
        raise InputError(f"{where}: {error.filename} cannot be read ({error.strerror}); allow it") from error


def _has_git(folder: str) -> bool:
    """`.git` is a folder, or a file in a worktree and in a submodule."""
    return os.path.lexists(f"{folder}/.git")


def _refuse_bare(folder: str, where: str) -> None:
    if all((Path(folder) / name).exists() for name in ("HEAD", "objects", "refs")):
        raise InputError(f"{where}: {folder} is a bare repository, without its files; give a clone of it")

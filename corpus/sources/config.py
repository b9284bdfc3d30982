"""Configuration of one source."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator, model_validator

from corpus.config import Config

Kind = Literal[
    "warc", "html", "text", "epub", "pdf", "code", "wikipedia", "jsonl", "csv", "parquet", "arrow", "dataset"
]
Column = Literal["text", "url", "date", "title", "author", "declared_language", "license", "programming_language", "id"]


_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_CHAIN = re.compile(rf"::{_REMOTE.pattern}")
_LOCAL = ("file://", "local://")


def is_remote(path: str) -> bool:
    """Whether a path is an fsspec URL that leads off this machine's file system."""
    return bool(_REMOTE.match(path)) and not path.startswith(_LOCAL)


class DatasetOptions(Config):
    """Which part of a Hugging Face dataset; only with `kind: dataset`."""

    config: str | None = None
    """Name of the configuration (subset), where the dataset has several; only of the hub."""
    split: Annotated[str, Field(min_length=1)] = "train"
    """Name of the split."""
    revision: Annotated[str, Field(min_length=1)] | None = None
    """Commit, tag or branch on the hub; else the main branch. A commit hash makes the run repeatable."""


class CodeOptions(Config):
    """What of a repository is taken; only with `kind: code`."""

    languages: tuple[str, ...] = ()
    """Languages to take, in GitHub Linguist's names; empty takes all that people write code and documentation in.
    Data (`JSON`, `YAML`, `Text`) is taken where it is named."""
    max_file_kb: Annotated[int, Field(ge=1, le=1 << 20)] = 1024
    """A larger file becomes a `too_large` row: it is data more often than code."""


class WikipediaOptions(Config):
    """What of a dump is taken; only with `kind: wikipedia`."""

    namespaces: tuple[int, ...] = (0,)
    """MediaWiki namespaces; 0 holds the articles."""
    license: str | None = None
    """Licence to note with every article: a dump does not name it. Wikipedia's text is `CC-BY-SA-4.0`."""


class SourceConfig(Config):
    """A named set of files of one kind."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$", max_length=64)]
    """Name of the source; it is part of every document's id."""
    kind: Kind
    """What the files hold."""
    path: str | tuple[str, ...]
    """A file, a folder (searched recursively), a glob or an fsspec URL (`s3://`, `hf://`, `https://`), or several.

    `kind: code`: a checkout, an archive, or a folder of them. `kind: dataset`: a folder that `datasets` saved, or the
    dataset's name on the Hugging Face hub (`owner/name`)."""
    columns: dict[Column, str] = Field(default={"text": "text"})
    """Our column -> the input's column (`jsonl`, `csv`, `parquet`, `arrow`, `dataset`). The locator keeps an `id`."""
    dataset: DatasetOptions | None = None
    """Configuration, split and revision of a Hugging Face dataset (`kind: dataset`)."""
    code: CodeOptions | None = None
    """Languages and the largest file (`kind: code`)."""
    wikipedia: WikipediaOptions | None = None
    """Namespaces and licence (`kind: wikipedia`)."""
    allow_private: bool = False
    """Let remote paths name hosts that are not public (an address of a private network, of this machine)."""
    max_record_mb: Annotated[int, Field(ge=1, le=4096)] = 64
    """A record that is larger, when stored or when decompressed, becomes a `too_large` row."""

    @field_validator("path")
    @classmethod
    def _some_path(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        paths = value if isinstance(value, tuple) else (value,)
        if not paths or "" in paths:
            raise ValueError("is empty: name a file, a folder or a glob")
        # The recipe is written out, in UTF-8; a folder or a glob reaches files of any name.
        if any("\ud800" <= letter <= "\udfff" for path in paths for letter in path):
            raise ValueError("is not valid UTF-8: rename the file, or name its folder")
        if any(_CHAIN.search(path) for path in paths if is_remote(path)):
            raise ValueError("is a chain of file systems (`::`), which is not supported: unpack or copy it first")
        return value

    @field_validator("columns", mode="before")
    @classmethod
    def _known_columns(cls, value: object) -> object:
        unknown = [name for name in value if name not in get_args(Column)] if isinstance(value, dict) else []
        if unknown:
            raise ValueError(f"has no column `{unknown[0]}` of ours; there are {', '.join(get_args(Column))}")
        return value

    @field_validator("columns")
    @classmethod
    def _default_text(cls, value: dict[Column, str]) -> dict[Column, str]:
        return {"text": "text", **value}

    @model_validator(mode="after")
    def _options_fit(self) -> SourceConfig:
        for kind in ("dataset", "code", "wikipedia"):
            if getattr(self, kind) is not None and self.kind != kind:
                raise ValueError(f"`{kind}` options are for `kind: {kind}`, this source is `kind: {self.kind}`")
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        """`path`, always as a tuple; `file://` URLs as plain paths."""
        paths = (self.path,) if isinstance(self.path, str) else self.path
        return tuple(path.partition("://")[2] if path.startswith(_LOCAL) else path for path in paths)

    @property
    def absolute_paths(self) -> tuple[str, ...]:
        """The paths as they hold in any working folder; URLs and names of datasets on the hub stay as they are."""
        # Path.resolve would follow a glob's links; only the working folder is to be fixed.
        return tuple(
            path
            if is_remote(path) or (self.kind == "dataset" and not Path(path).exists())
            else str(Path.cwd() / Path(path).expanduser())
            for path in self.paths
        )

    @property
    def max_record_bytes(self) -> int:
        """`max_record_mb` in bytes (1 MB = 2**20 bytes)."""
        return self.max_record_mb << 20

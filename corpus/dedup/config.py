"""Configuration of `dedup`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from corpus.config import Config
from corpus.dedup import criteria
from corpus.dedup.banding import Banding, choose
from corpus.dedup.passages.config import LinesConfig, PassagesConfig, SentencesConfig, SubstringsConfig


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str | Path) else value


def _paths(value: Any) -> Any:
    paths = _listed(value)
    if isinstance(paths, list | tuple) and "" in paths:
        raise ValueError("an empty path; name the output folder of an earlier delivery")
    return paths


def _section(value: Any) -> Any:
    """`true` and an empty section are the defaults, `false` is none, as with a stage."""
    return {} if value is True else None if value is False else value


class DedupConfig(Config):
    """Which documents count as the same, and which one of them stays."""

    url: bool = False
    """Of documents with the same address, in canonical form, keep one."""
    exact: bool = True
    """Remove documents whose text is equal but for case and white space."""
    minhash: bool = True
    """Remove near duplicates, found by MinHash and locality-sensitive hashing."""
    ngram: int = Field(5, ge=1, le=64)
    """Words in a shingle; the Jaccard index is that of the sets of shingles."""
    normalise: Annotated[tuple[Literal["case", "accents", "digits"], ...], BeforeValidator(_listed)] = ("case",)
    """What does not count in a word: its `case`, its `accents`, which `digits` it has."""
    permutations: int = Field(100, ge=1, le=4096)
    """MinHash values in a signature, of which `bands` x `rows` are compared."""
    signature: Literal["corpusmill", "datasketch", "datasketch-legacy"] = "corpusmill"
    """Family of the permutations: our own, or for exchange datasketch's, from its version 2 on or (legacy) before."""
    seed: int = Field(1, ge=0, lt=1 << 32)
    """Seed of the MinHash permutations."""
    threshold: float = Field(0.8, gt=0, le=1)
    """Similarity from which on two documents are near duplicates."""
    recall: float = Field(0.999, gt=0, lt=1)
    """Least probability that a pair at `threshold` is compared; `bands` and `rows` are chosen for it."""
    precision: float | None = Field(None, gt=0, lt=1)
    """Least precision of the bands alone, were all indices equally frequent; for `verify: false`."""
    bands: int | None = Field(None, ge=1, le=4096)
    """Bands of a signature: two documents are compared when one band agrees. Null: chosen."""
    rows: int | None = Field(None, ge=1, le=64)
    """MinHash values in a band. A pair at J is compared with probability 1 - (1 - J^rows)^bands. Null: chosen."""
    verify: bool = True
    """Compute the exact similarity of every pair that the bands suggest; without it, the bands alone decide."""
    measure: Literal["jaccard", "containment"] = "jaccard"
    """What `verify` computes: shared shingles of all, or of the shorter document's."""
    keep: Annotated[
        tuple[Annotated[str, AfterValidator(criteria.check)], ...],
        BeforeValidator(_listed),
        AfterValidator(criteria.check_all),
    ] = ("longest",)
    """Which document of a cluster stays, criterion after criterion: `highest:SIGNAL`, `lowest:SIGNAL`, `newest`,
    `oldest`, `longest`, `shortest`; then, or with `first_id`, the one with the smallest id."""
    against: Annotated[tuple[Path, ...], BeforeValidator(_paths)] = ()
    """Output folders of earlier deliveries (and what those were compared with): what they have goes here."""
    lines: Annotated[LinesConfig | None, BeforeValidator(_section)] = None
    """Cut out lines that occur in several documents."""
    paragraphs: Annotated[PassagesConfig | None, BeforeValidator(_section)] = None
    """Cut out paragraphs that occur in several documents (CCNet, Wenzek et al. 2020)."""
    sentences: Annotated[SentencesConfig | None, BeforeValidator(_section)] = None
    """Cut out runs of sentences that occur in several documents (C4, Raffel et al. 2020)."""
    substrings: Annotated[SubstringsConfig | None, BeforeValidator(_section)] = None
    """Cut out runs of words that occur several times."""

    @field_validator("against")
    @classmethod
    def _absolute(cls, folders: tuple[Path, ...]) -> tuple[Path, ...]:
        """A folder's recipe is read again from other working folders. Raises ValueError for what is no path."""
        for folder in folders:
            if "\0" in str(folder):
                raise ValueError(f"{str(folder)!r} is no path; name the output folder of an earlier delivery")
        return tuple(Path.cwd() / folder for folder in folders)

    @field_serializer("against")
    def _counted(self, folders: tuple[Path, ...], info: SerializationInfo) -> list[str] | int:
        # Where a folder lies decides no byte of the output; the digests of what is read in it are inputs.
        return len(folders) if info.context else [str(folder) for folder in folders]

    @property
    def jaccard_threshold(self) -> float:
        """The Jaccard index of a pair at `threshold`; if that is a containment c, of two of equal size: c / (2 - c)."""
        return self.threshold if self.measure == "jaccard" else self.threshold / (2 - self.threshold)

    @property
    def banding(self) -> Banding:
        """Bands and rows as given, or as chosen. Raises ValueError, see `choose`."""
        if self.bands is None or self.rows is None:
            return choose(self.jaccard_threshold, self.recall, self.permutations, self.precision)
        return Banding(self.bands, self.rows)

    @model_validator(mode="after")
    def _bands_fit(self) -> DedupConfig:
        if (self.bands is None) != (self.rows is None):
            raise ValueError("bands and rows: give both or none")
        if self.measure == "containment" and not self.verify:
            raise ValueError("measure: containment needs `verify: true`; signatures alone know nothing of it")
        banding = self.banding
        if banding.bands * banding.rows > self.permutations:
            needed = banding.bands * banding.rows
            raise ValueError(
                f"bands: {banding.bands} x {banding.rows} rows need {needed} values, a signature has "
                f"{self.permutations}; set permutations={needed}"
            )
        return self

"""What became of the planted documents: read from the outputs of the run over the copy, and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from corpus.planted.config import PlantedConfig
from corpus.planted.items import Beat, holding
from corpus.planted.partners import with_partner
from corpus.planted.personal import KINDS
from corpus.planted.plants import Copy, Plant, similarity
from corpus.planted.result import EXACT, NEAR, PII, Planted, Precision, Recall
from corpus.planted.words import squeezed
from corpus.report.outputs import BASE, Outputs
from corpus.store import read_table

_SPANS, _CLUSTERS = "pii/spans", "dedup/clusters"
_JUDGED = 300  # contaminated documents whose n-grams are compared with those of all items
TESTED = ("pii", "dedup", "decontaminate")


@dataclass(frozen=True)
class _Fates:
    """By name of the document: its text as `pii` took and left it, what was found in it (kind, start, end in bytes),
    its cluster; by stage: who was dropped."""

    before: dict[str, str]
    after: dict[str, str]
    hits: dict[str, list[tuple[str, int, int]]]
    clusters: dict[str, bytes]
    gone: dict[str, set[str]]


def judge(copy: Copy, config: PlantedConfig, outputs: Outputs, beat: Beat = lambda rows: None) -> Planted:
    """Compare what was planted with what the stages did."""
    fates = _fates(outputs)
    found: dict[tuple[str, float | None], list[bool]] = {key: [] for key in copy.wanted}
    planted = dict.fromkeys(copy.wanted, 0)
    for plant in copy.plants:
        key = plant.kind, plant.level
        planted[key] += 1
        verdict = _verdict(plant, config, fates)
        if verdict is not None:
            found[key].append(verdict)
    threshold, promise = (config.dedup.threshold, config.dedup.recall) if config.dedup else (0.0, 0.0)
    kinds = []
    for (kind, level), wanted in copy.wanted.items():
        expected = level is None or level >= threshold
        verdicts = found[kind, level]
        promised = 1.0 if kind == EXACT else promise if kind == NEAR and expected else None
        kinds.append(
            Recall(len(verdicts), sum(verdicts), kind, level, expected, wanted, planted[kind, level], promised)
        )
    return Planted(
        config.selfcheck.seed,
        len(copy.texts) - sum(plant.name != plant.host for plant in copy.plants),
        len(copy.clean),
        tuple(kinds),
        tuple(_precision(copy, config, fates, beat)),
        _left_out(config),
    )


def nothing(config: PlantedConfig) -> Planted:
    """What there is to say where no document is left."""
    none = {stage: "no document is left to plant anything in; loosen the stages before `pii`" for stage in TESTED}
    return Planted(config.selfcheck.seed, 0, 0, (), (), none | _left_out(config))


def _left_out(config: PlantedConfig) -> dict[str, str]:
    """What is not tested, and why."""
    found = {stage: "not in the recipe" for stage in TESTED if getattr(config, stage) is None}
    if config.pii is not None:
        off = [kind for kind in KINDS if config.pii.policy(kind) == "off"]
        if off:
            name = "pii" if len(off) == len(KINDS) else f"pii {', '.join(off)}"
            found[name] = "no kind is looked for (all are off)" if name == "pii" else "not looked for (off)"
    if config.dedup is not None:
        found |= {f"dedup.{way}": "it is off" for way in ("exact", "minhash") if not getattr(config.dedup, way)}
    return found


def _verdict(plant: Plant, config: PlantedConfig, fates: _Fates) -> bool | None:
    """Whether it was found; None where nothing can be said, because an earlier stage dropped or changed it."""
    if plant.name not in fates.before:
        return None
    if plant.kind.startswith(PII):
        return _hidden(plant, config, fates)
    if plant.name not in fates.after or plant.host not in fates.after:
        return None
    if plant.kind not in (EXACT, NEAR):
        return None if plant.name in fates.gone["dedup"] else plant.name in fates.gone["decontaminate"]
    one, other = fates.after[plant.name], fates.after[plant.host]
    assert config.dedup is not None
    if plant.kind == EXACT:
        changed = squeezed(one) != squeezed(other)
    else:
        assert plant.level is not None
        by, threshold = similarity(config.dedup), config.dedup.threshold
        # What is masked is no longer different.
        changed = (by.between(by.ngrams(one), by.ngrams(other)) >= threshold) != (plant.level >= threshold)
    if changed:
        return None
    cluster = fates.clusters.get(plant.name)
    return cluster is not None and cluster == fates.clusters.get(plant.host)


def _hidden(plant: Plant, config: PlantedConfig, fates: _Fates) -> bool:
    """Whether the value was found as what it is, all of it, and the recipe's policy was carried out."""
    assert config.pii is not None
    kind = plant.kind.removeprefix(PII)
    start, end = _place(plant, fates)
    covered = any(hit[0] == kind and hit[1] <= start and end <= hit[2] for hit in fates.hits.get(plant.name, ()))
    policy = config.pii.policy(kind)
    if policy == "drop":
        return covered and plant.name not in fates.after
    return covered and not (policy == "mask" and plant.value in fates.after.get(plant.name, ""))


def _place(plant: Plant, fates: _Fates) -> tuple[int, int]:
    """Start and end of the planted value in UTF-8 bytes."""
    start = fates.before[plant.name].encode().find(plant.value.encode())
    return start, start + len(plant.value.encode())


def _precision(copy: Copy, config: PlantedConfig, fates: _Fates, beat: Beat) -> list[Precision]:
    rows = []
    if config.pii is not None:
        right, hits = 0, 0
        for plant in copy.plants:
            # Of a document with personal data of its own nobody knows how much it has.
            if plant.kind.startswith(PII) and plant.name in fates.before and not fates.hits.get(plant.host):
                start, end = _place(plant, fates)
                own = fates.hits.get(plant.name, ())
                hits += len(own)
                right += sum(hit[1] < end and start < hit[2] for hit in own)
        rows.append(Precision(hits, right, "pii"))
    if config.dedup is not None:
        gone = fates.gone["dedup"] & fates.after.keys()
        right = len(with_partner(gone, fates.after, similarity(config.dedup), config.dedup.threshold))
        rows.append(Precision(len(gone), right, "dedup"))
    if config.decontaminate is not None:
        removed = sorted(fates.gone["decontaminate"] & fates.after.keys())[:_JUDGED]
        right = sum(holding([fates.after[name] for name in removed], config.decontaminate, beat))
        rows.append(Precision(len(removed), right, "decontaminate"))
    return rows


def _fates(outputs: Outputs) -> _Fates:
    names = dict(_columns(outputs, BASE, "id", "locator"))
    # `FILE#LINE:NAME`
    names = {id_: locator.rpartition(":")[2] for id_, locator in names.items()}
    hits: dict[str, list[tuple[str, int, int]]] = {}
    if outputs.has(_SPANS):
        for id_, kind, start, end in _columns(outputs, _SPANS, "id", "kind", "start", "end", side="spans"):
            hits.setdefault(names[id_], []).append((kind, start, end))
    clusters = _columns(outputs, _CLUSTERS, "id", "cluster") if outputs.has(_CLUSTERS) else []
    gone: dict[str, set[str]] = {stage: set() for stage in TESTED}
    for step, _, path in outputs.ledgers():
        if step.stage in TESTED:
            for batch in read_table(path, ["id"]):
                gone[step.stage] |= {names[id_] for id_ in batch.column("id").to_pylist()}
    has_pii = any(step.stage == "pii" for step in outputs.steps)
    return _Fates(
        _texts(outputs, BASE, names),
        _texts(outputs, outputs.last_of("pii") if has_pii else BASE, names),
        hits,
        {names[id_]: cluster for id_, cluster in clusters},
        gone,
    )


def _texts(outputs: Outputs, step: str | None, names: dict[bytes, str]) -> dict[str, str]:
    """Name -> text of the documents that are alive after a step."""
    view = outputs.view(step)
    return {
        names[id_]: text
        for partition in view.partitions()
        for batch in view.batches(partition, ["id", "text"])
        for id_, text in zip(batch.column("id").to_pylist(), batch.column("text").to_pylist(), strict=True)
    }


def _columns(outputs: Outputs, step: str, *columns: str, side: str = "") -> list[tuple[Any, ...]]:
    """The rows of a step's table over all partitions."""
    return [
        row
        for partition in outputs.partitions
        for batch in read_table(outputs.table(step, partition, side), list(columns))
        for row in zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
    ]

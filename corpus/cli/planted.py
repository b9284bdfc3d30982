"""How the check on planted documents is shown."""

from __future__ import annotations

from corpus.planted.result import Planted, Share

_FEW = 3


def show_planted(found: Planted) -> None:
    """Tables of what was planted and of what was removed or found, then what falls short."""
    from corpus.cli.console import number, show, table

    if not found.documents:
        print("\n".join(notes(found)))
        return
    made = table(
        *("kind", "wanted", "planted", "judged", "found", "share", "95% interval", "should be"),
        title=f"Planted in a copy of {found.documents:,} documents",
    )
    for kind in found.kinds:
        counts = map(number, (kind.wanted, kind.planted, kind.judged, kind.found))
        should = "none" if not kind.expected else "all" if kind.promised is None else f"{kind.promised:g}"
        made.add_row(kind.label, *counts, *_figures(kind), should)
    show(made)
    print()
    made = table("stage", "removed or found in it", "rightly", "share", "95% interval", title="Precision")
    for row in found.precision:
        made.add_row(row.stage, number(row.judged), number(row.found), *_figures(row))
    show(made)
    print()
    for line in notes(found):
        print(line)


def _figures(row: Share) -> tuple[str, str]:
    if row.share is None:
        return "", ""
    low, high = row.interval
    return f"{row.share:.3f}", f"{low:.3f} to {high:.3f}"


def notes(found: Planted) -> list[str]:
    """A line for each kind that falls short of what the recipe promises, for what could not be planted and for what
    was not asked."""
    lines = []
    for kind in found.short:
        chance = "; by chance, it may be" if kind.by_chance else ""
        lines.append(
            f"{kind.label}: {kind.found:,} of {kind.judged:,} found, less than the {kind.promised:g} that the recipe "
            f"promises{chance}"
        )
    if lacking := [f"{kind.label} {kind.planted:,} of {kind.wanted:,}" for kind in found.kinds if kind.lacking]:
        more = [f"{len(lacking) - _FEW} more kinds"] if len(lacking) > _FEW else []
        lines.append(f"for want of fitting documents or items fewer were planted: {', '.join(lacking[:_FEW] + more)}")
    return lines + [f"{stage}: nothing was planted, {why}" for stage, why in found.left_out.items()]


def planted_lines(found: Planted) -> list[str]:
    """The same in a few lines, for the end of a run."""
    lines = [f"planted in a copy of {found.documents:,} documents:"]
    for name, kinds in found.groups().items():
        total = Share(sum(kind.judged for kind in kinds), sum(kind.found for kind in kinds))
        lines += _line(f"recall of {name}" if kinds[0].expected else f"taken for {name}", total)
    for row in found.precision:
        lines += _line(f"precision of {row.stage}", row)
    return lines + [f"  {line}" for line in notes(found)]


def _line(name: str, row: Share) -> list[str]:
    if row.share is None:
        return []
    low, high = row.interval
    return [f"  {name}: {row.share:.3f} ({row.found:,} of {row.judged:,}, 95% interval {low:.3f} to {high:.3f})"]

"""Charts as inline SVG, made here: no script, no file beside the page, the same bytes for the same figures.

Colours and fonts come from the page's style sheet, so that charts follow light, dark and print. Every number drawn
also stands in a table of the page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

WIDTH, HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 32, 16, 44  # at the right, half a label
_POINTS = 300
Points = Sequence[tuple[float, float]]


def bar(value: float, total: float, of: float | None = None) -> Markup:
    """A bar in a table cell: `value` of `total` in full colour, before it `of` of `total` in a paler one."""
    scale = 100 / total if total > 0 else 0.0
    pale = f'<rect class="pale" width="{_n(of * scale)}" height="10"/>' if of is not None else ""
    return Markup(
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'{pale}<rect width="{_n(value * scale)}" height="10"/></svg>'
    )


def histogram(series: Sequence[tuple[str, dict[int, int]]], labels: dict[int, str], title: str) -> Markup:
    """Columns by class (an integer on the x axis, some of them labelled), one colour a series, drawn over another."""
    bins = sorted({k for _, counts in series for k in counts})
    if not bins:
        return Markup("")
    first, count = bins[0], bins[-1] - bins[0] + 1
    most = max(max(counts.values(), default=0) for _, counts in series)
    ticks = _ticks(0, most)
    plot = _Plot(0, count, 0, max(ticks[-1], most))
    parts = [plot.y_axis(ticks)]
    for number, (_, counts) in enumerate(series):
        for k in sorted(counts):
            x, x2, y = plot.x(k - first), plot.x(k - first + 1), plot.y(counts[k])
            width, height = _n(max(x2 - x - 2, 1)), _n(plot.y(0) - y)
            parts.append(f'<rect class="s{number}" x="{_n(x + 1)}" y="{_n(y)}" width="{width}" height="{height}"/>')
    for k, label in labels.items():
        if first <= k <= bins[-1] + 1:
            parts.append(plot.x_tick(k - first, label))
    return plot.svg("".join(parts), title)


def curves(series: Sequence[tuple[str, Points]], level: tuple[str, float] | None, title: str, unit: str) -> Markup:
    """Lines over steps, thinned to what a screen shows; the last series with points; `level` a dashed line."""
    clean = [[(x, y) for x, y in points if math.isfinite(y)] for _, points in series]
    if not any(clean):
        return Markup("")
    ys = [y for points in clean for _, y in points] + ([level[1]] if level else [])
    steps = max(x for points in clean for x, _ in points)
    ticks = _ticks(min(ys), max(ys))
    plot = _Plot(0, max(steps, 1), min(ticks[0], *ys), max(ticks[-1], *ys))
    parts = [plot.y_axis(ticks)]
    parts += [plot.x_tick(x, f"{x:,.0f}") for x in _ticks(0, max(steps, 1)) if x <= steps]
    for number, points in enumerate(clean):
        if not points:
            continue
        thin = points[:: max(1, math.ceil(len(points) / _POINTS))]
        if thin[-1] != points[-1]:
            thin = [*thin, points[-1]]
        line = " ".join(f"{_n(plot.x(x))},{_n(plot.y(y))}" for x, y in thin)
        parts.append(f'<polyline class="s{number}" points="{line}"/>')
        if number == len(clean) - 1:
            parts += [f'<circle class="s{number}" cx="{_n(plot.x(x))}" cy="{_n(plot.y(y))}" r="3"/>' for x, y in thin]
    if level:
        y = _n(plot.y(level[1]))
        parts.append(f'<line class="level" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
    parts.append(f'<text class="unit" x="{WIDTH - _RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{escape(unit)}</text>')
    return plot.svg("".join(parts), title)


class _Plot:
    """The plane between the axes."""

    def __init__(self, x0: float, x1: float, y0: float, y1: float) -> None:
        self.x0, self.y0 = x0, y0
        self.dx = (WIDTH - _LEFT - _RIGHT) / (x1 - x0)
        self.dy = (HEIGHT - _TOP - _BOTTOM) / ((y1 - y0) or 1)

    def x(self, value: float) -> float:
        return _LEFT + (value - self.x0) * self.dx

    def y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - (value - self.y0) * self.dy

    def y_axis(self, ticks: Sequence[float]) -> str:
        places = 0 if all(tick == int(tick) for tick in ticks) else 2 if ticks[1] - ticks[0] < 0.1 else 1
        return "".join(
            f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{_n(self.y(tick))}" y2="{_n(self.y(tick))}"/>'
            f'<text x="{_LEFT - 8}" y="{_n(self.y(tick) + 4)}" text-anchor="end">{tick:,.{places}f}</text>'
            for tick in ticks
        )

    def x_tick(self, value: float, label: str) -> str:
        x = _n(self.x(value))
        base = HEIGHT - _BOTTOM
        return (
            f'<line class="tick" x1="{x}" x2="{x}" y1="{base}" y2="{base + 5}"/>'
            f'<text x="{x}" y="{base + 20}" text-anchor="middle">{escape(label)}</text>'
        )

    def svg(self, inside: str, title: str) -> Markup:
        return Markup(
            f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{escape(title)}</title>{inside}</svg>'
        )


def _ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers that span low to high."""
    span = high - low
    if span <= 1e-9 * max(abs(low), abs(high)) or span < 1e-300:
        span = abs(high) if abs(high) > 1e-9 else 1.0
    step = 10 ** math.floor(math.log10(span / 4))
    for factor in (1, 2, 5, 10):
        if span / (step * factor) <= 5:
            step *= factor
            break
    if low == int(low) and high == int(high):
        step = max(step, 1)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 10) for k in range(first, max(last, first + 1) + 1)]


def _n(value: float) -> str:
    """A coordinate, to a hundredth."""
    return f"{value:.2f}".rstrip("0").rstrip(".")

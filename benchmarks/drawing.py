"""Bars and lines as SVG, on logarithmic axes. Small enough that no plotting library is needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

COLOURS = (
    "#c0392b",
    "#7d3c98",
    "#5b2c6f",
    "#2471a3",
    "#5dade2",
    "#117864",
    "#45b39d",
    "#b7950b",
    "#7b7d7d",
)
FONT = 'font-family="sans-serif" font-size="12"'
WIDTH, LEFT, RIGHT, BAR = 760, 190, 70, 14

Series = Mapping[str, float]


def bars(title: str, groups: Mapping[str, Series]) -> str:
    """Groups of horizontal bars, one group for each row, on one logarithmic axis."""
    names = list(dict.fromkeys(name for series in groups.values() for name in series))
    colour = _colours(names)
    values = [value for series in groups.values() for value in series.values()]
    scale = _Scale(min(values) / 2, max(values), LEFT, WIDTH - RIGHT)
    parts, y = [_text(10, 20, title, bold=True)], 40
    for group, series in groups.items():
        parts.append(_text(LEFT - 8, y + BAR * len(series) / 2 + 4, group, anchor="end"))
        for name, value in series.items():
            end = scale.place(value)
            parts.append(
                f'<rect x="{LEFT}" y="{y}" width="{max(1.0, end - LEFT):.1f}" height="{BAR - 2}" '
                f'fill="{colour[name]}"/>'
            )
            parts.append(_text(end + 4, y + BAR - 3, _short(value)))
            y += BAR
        y += 8
    return _svg(title, parts + _legend(colour, y + 14), y + 34)


def lines(
    title: str, places: Sequence[float], series: Mapping[str, Sequence[float]], unit: str
) -> str:
    """Lines over *places*, both axes logarithmic."""
    height, top = 320, 40
    colour = _colours(list(series))
    values = [value for ys in series.values() for value in ys]
    across = _Scale(min(places), max(places), LEFT, WIDTH - RIGHT)
    down = _Scale(min(values), max(values), height, top)
    parts = [_text(10, 20, title, bold=True)]
    for power in range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1):
        if min(values) <= (value := 10.0**power) <= max(values):
            y = down.place(value)
            parts.append(
                f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>'
            )
            parts.append(_text(LEFT - 8, y + 4, f"{_short(value)} {unit}", anchor="end"))
    for place in places:
        parts.append(_text(across.place(place), height + 18, f"{place:,.0f}", anchor="middle"))
    for name, ys in series.items():
        points = " ".join(
            f"{across.place(x):.1f},{down.place(y):.1f}" for x, y in zip(places, ys, strict=True)
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour[name]}" stroke-width="2"/>'
        )
        parts.append(_text(across.place(places[-1]) + 6, down.place(ys[-1]) + 4, _short(ys[-1])))
    return _svg(title, parts + _legend(colour, height + 42), height + 62)


class _Scale:
    """A logarithmic axis between two places of the picture."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._start = math.log(low), start
        self._per = (end - start) / ((math.log(high) - self._low) or 1.0)

    def place(self, value: float) -> float:
        return self._start + (math.log(value) - self._low) * self._per


def _colours(names: Sequence[str]) -> dict[str, str]:
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}


def _legend(colour: Mapping[str, str], y: float) -> list[str]:
    parts, x = [], 10.0
    for name, fill in colour.items():
        parts.append(f'<rect x="{x:.0f}" y="{y - 10:.0f}" width="10" height="10" fill="{fill}"/>')
        parts.append(_text(x + 14, y, name))
        x += 26 + 7 * len(name)
    return parts


def _text(x: float, y: float, words: str, *, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {FONT}{weight}>{escape(words)}</text>'


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _svg(title: str, parts: Sequence[str], height: float) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
        f'viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
    )
    back = f'<rect width="{WIDTH}" height="{height:.0f}" fill="white"/>'
    return "\n".join([head, back, *parts, "</svg>", ""])

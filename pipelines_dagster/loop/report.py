# SPDX-License-Identifier: Apache-2.0
"""The rehearsal on paper: promises, live figures by version, and the error over time."""

from __future__ import annotations

from html import escape

from client.table import table
from pipelines_dagster.loop.circle import Findings
from pipelines_dagster.loop.live import Point

_BARS = "▁▂▃▄▅▆▇█"
_COLOURS = ("#c1553b", "#3f7d58", "#8a5aa8", "#3a6ea5")
_LEAST = 10
"""Decided rows below which a slice of time is not drawn."""


def as_text(found: Findings) -> str:
    """Tables and a chart for a terminal."""
    parts = [versions(found), chart(found), promises(found)]
    return "\n\n".join(part for part in parts if part)


def promises(found: Findings) -> str:
    """What was promised, and whether it held."""
    rows = [("yes" if p.kept else "NO", p.what, p.seen) for p in found.promises]
    lines = [f"{kept:<4} {what}: {seen}" for kept, what, seen in rows]
    return "\n".join([*lines, "the circle is closed" if found.kept else "the circle FAILED"])


def versions(found: Findings) -> str:
    """Live figures of every version that decided something."""
    rows = [
        (
            found.names.get(sha, sha),
            sha,
            str(metric.rows),
            f"{metric.rmse:.4f}",
            f"{metric.bias:+.4f}",
            f"{metric.ks:.4f}",
        )
        for sha, metric in found.observed.versions.items()
    ]
    head = ("version", "sha256", "rows", "RMSE log W", "bias", "KS")
    return table(head, rows) if rows else ""


def chart(found: Findings) -> str:
    """A line per version: its error in every slice of time, a blank where it served nobody."""
    points = _drawn(found)
    if not points:
        return ""
    times = sorted({point.ts for point in points})
    top = max(point.rmse for point in points)
    lines = [f"live RMSE over {times[-1] - times[0]:.0f} s, full height {top:.2f}"]
    for sha, name in _named(found, points):
        by_time = {p.ts: p.rmse for p in points if p.version == sha}
        bars = "".join(_bar(by_time.get(at), top) for at in times)
        lines.append(f"{name:<16} |{bars}|")
    return "\n".join(lines)


def as_svg(found: Findings, width: int = 720, height: int = 240) -> str:
    """The same chart as a picture."""
    points = _drawn(found)
    first = min((p.ts for p in points), default=0.0)
    span = max((p.ts - first for p in points), default=0.0) or 1.0
    top = 1.1 * max((p.rmse for p in points), default=1.0)
    left, bottom = 50, height - 30

    def place(point: Point) -> str:
        x = left + (width - left - 150) * (point.ts - first) / span
        return f"{x:.1f},{bottom - (bottom - 20) * point.rmse / top:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<path d="M{left},20 V{bottom} H{width - 150}" fill="none" stroke="#444444"/>',
        f'<text x="{left}" y="14">live RMSE of log W, by version; top {top:.2f}</text>',
        f'<text x="{left}" y="{height - 10}">{span:.0f} s</text>',
    ]
    for at, (sha, name) in enumerate(_named(found, points)):
        colour = _COLOURS[at % len(_COLOURS)]
        mine = [place(p) for p in points if p.version == sha]
        dots = "".join(
            f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>'
            for x, y in (one.split(",") for one in mine)
        )
        line = f'<polyline points="{" ".join(mine)}" fill="none" stroke="{colour}"/>'
        label = f'<text x="{width - 140}" y="{30 + 18 * at}" fill="{colour}">{escape(name)}</text>'
        parts += [line, dots, label]
    return "\n".join([*parts, "</svg>", ""])


def _drawn(found: Findings) -> list[Point]:
    return [point for point in found.observed.points if point.rows >= _LEAST]


def _named(found: Findings, points: list[Point]) -> list[tuple[str, str]]:
    """(sha, name) of every version drawn, in the order they came."""
    order = dict.fromkeys(point.version for point in points)
    return [(sha, found.names.get(sha, sha)) for sha in order]


def _bar(value: float | None, top: float) -> str:
    if value is None:
        return " "
    return _BARS[min(len(_BARS) - 1, int(len(_BARS) * value / top))]

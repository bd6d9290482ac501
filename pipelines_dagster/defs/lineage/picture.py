# SPDX-License-Identifier: Apache-2.0
"""The graph as a picture: SVG from left to right, DOT, and Mermaid for Dagster's page."""

from __future__ import annotations

from collections import defaultdict
from html import escape

from pipelines_dagster.defs.lineage.graph import Graph, Kind

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 250, 34, 70, 14, 24
_LETTERS = 34
_FILL = {
    Kind.KAFKA: "#e8eef7",
    Kind.BRONZE: "#f3e3d3",
    Kind.SILVER: "#eceff1",
    Kind.DATASET: "#fff3c4",
    Kind.CODE: "#eee7f5",
    Kind.MODEL: "#dff0d8",
}
_STYLE = "font-family:system-ui,sans-serif;font-size:12px"
_ARROW = '<path d="M0,0 L8,4 L0,8 z" fill="#8a949e"/>'


def svg(graph: Graph) -> str:
    """A layer a column, from Kafka at the left to the model at the right; gaps below in red."""
    places = _places(graph)
    right = max((x for x, _ in places.values()), default=0) + _WIDTH + _MARGIN
    bottom = max((y for _, y in places.values()), default=0) + _HEIGHT + _MARGIN
    lines = [_edge(places[a], places[b], kind.value) for a, kind, b in graph.edges]
    lines += [_box(graph, key, *place) for key, place in places.items()]
    for number, gap in enumerate(graph.gaps):
        text = escape(f"gap: {gap.where}: {gap.why}")
        lines.append(f'<text x="{_MARGIN}" y="{bottom + 18 * number}" fill="#b00020">{text}</text>')
    height = bottom + 18 * len(graph.gaps)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right} {height}" '
    head += f'width="{right}" height="{height}" style="{_STYLE}">'
    marker = '<defs><marker id="a" markerWidth="9" markerHeight="9" refX="8" refY="4" '
    marker += f'orient="auto">{_ARROW}</marker></defs>'
    back = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([head, marker, back, *lines, "</svg>"]) + "\n"


def dot(graph: Graph) -> str:
    """For Graphviz."""
    names = [f'  "{key}" [label="{node.label}", shape=box];' for key, node in graph.nodes.items()]
    edges = [f'  "{a}" -> "{b}" [label="{kind.value}"];' for a, kind, b in graph.edges]
    return "\n".join(["digraph lineage {", "  rankdir=LR;", *names, *edges, "}"]) + "\n"


def mermaid(graph: Graph) -> str:
    """A fenced block of Markdown, and the gaps under it."""
    number = {key: f"n{place}" for place, key in enumerate(graph.nodes)}
    names = [f'  {number[key]}["{node.label}"]' for key, node in graph.nodes.items()]
    edges = [f"  {number[a]} -->|{kind.value}| {number[b]}" for a, kind, b in graph.edges]
    gaps = [f"- gap: {gap.where}: {gap.why}" for gap in graph.gaps] or ["no gaps"]
    return "\n".join(["```mermaid", "flowchart LR", *names, *edges, "```", "", *gaps]) + "\n"


def _places(graph: Graph) -> dict[str, tuple[int, int]]:
    """Upper left corner of every box; a column is centred, its boxes near what they come from."""
    columns: defaultdict[int, list[str]] = defaultdict(list)
    for key, level in _columns(graph).items():
        columns[level].append(key)
    before: defaultdict[str, list[str]] = defaultdict(list)
    for source, _, target in graph.edges:
        before[target].append(source)
    tallest = max((len(keys) for keys in columns.values()), default=0)
    places: dict[str, tuple[int, int]] = {}
    for level in sorted(columns):
        keys = columns[level]
        if level:
            middle = {k: _mean([places[b][1] for b in before[k] if b in places]) for k in keys}
            keys = sorted(keys, key=lambda key: (middle[key], key))
        top = _MARGIN + (tallest - len(keys)) * (_HEIGHT + _GAP_Y) // 2
        for row, key in enumerate(keys):
            x = _MARGIN + level * (_WIDTH + _GAP_X)
            places[key] = (x, top + row * (_HEIGHT + _GAP_Y))
    return places


def _columns(graph: Graph) -> dict[str, int]:
    """Level of every node; one without a source stands just left of what it made."""
    levels = graph.levels()
    after: defaultdict[str, list[str]] = defaultdict(list)
    for source, _, target in graph.edges:
        after[source].append(target)
    return {
        key: min((levels[one] for one in after[key]), default=1) - 1 if level == 0 else level
        for key, level in levels.items()
    }


def _box(graph: Graph, key: str, x: int, y: int) -> str:
    node = graph.nodes[key]
    label = node.label if len(node.label) <= _LETTERS else node.label[: _LETTERS - 1] + "…"
    told = "\n".join([node.label, *(f"{name}: {text}" for name, text in node.about.items())])
    return (
        f"<g><title>{escape(told)}</title>"
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="5" '
        f'fill="{_FILL[node.kind]}" stroke="#8a949e"/>'
        f'<text x="{x + 10}" y="{y + 21}">{escape(label)}</text></g>'
    )


def _edge(start: tuple[int, int], end: tuple[int, int], kind: str) -> str:
    x, y = start[0] + _WIDTH, start[1] + _HEIGHT // 2
    to_x, to_y = end[0], end[1] + _HEIGHT // 2
    middle = (x + to_x) // 2
    return (
        f'<path d="M{x},{y} C{middle},{y} {middle},{to_y} {to_x},{to_y}" fill="none" '
        f'stroke="#8a949e" marker-end="url(#a)"><title>{kind}</title></path>'
    )


def _mean(values: list[int]) -> float:
    return sum(values) / len(values) if values else 0.0

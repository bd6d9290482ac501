# SPDX-License-Identifier: Apache-2.0
"""The graph of where a model comes from: what was USED, and what GENERATED it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """Of a node, in the order of its way from the raw events to the model."""

    KAFKA = "kafka"
    BRONZE = "bronze"
    SILVER = "silver"
    DATASET = "dataset"
    CODE = "code"
    MODEL = "model"


class Edge(Enum):
    """Source: offline_orchestration 5.3, lineage."""

    USED = "USED"
    GENERATED = "GENERATED"


@dataclass(frozen=True)
class Node:
    """`key` is unique; `label` is short; `about` is what a picture has no room for."""

    key: str
    kind: Kind
    label: str
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Gap:
    """A place where the way back breaks: nobody can say what was there.

    Attributes:
        where: `auction.bids cluster c1 partition 0 offsets [10, 14)`.
        why: what was expected.
    """

    where: str
    why: str


@dataclass
class Graph:
    """Nodes by key; edges point from what was used to what came of it."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[tuple[str, Edge, str]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def add(self, node: Node) -> Node:
        return self.nodes.setdefault(node.key, node)

    def link(self, source: Node, edge: Edge, target: Node) -> None:
        if (source.key, edge, target.key) not in self.edges:
            self.edges.append((source.key, edge, target.key))

    @property
    def depth(self) -> int:
        """Edges on the longest way from a raw event to the model."""
        return max(self.levels().values(), default=0)

    @property
    def whole(self) -> bool:
        """Every way back ends in Kafka, and none has a gap."""
        roots = {key for key, level in self.levels().items() if level == 0}
        known = all(self.nodes[key].kind in (Kind.KAFKA, Kind.CODE) for key in roots)
        raw = any(self.nodes[key].kind is Kind.KAFKA for key in roots)
        return raw and known and not self.gaps

    def levels(self) -> dict[str, int]:
        """Node -> edges on the longest way to it."""
        before: dict[str, list[str]] = {key: [] for key in self.nodes}
        for source, _, target in self.edges:
            before[target].append(source)
        found: dict[str, int] = {}

        def level(key: str) -> int:
            if key not in found:
                found[key] = max((level(one) + 1 for one in before[key]), default=0)
            return found[key]

        return {key: level(key) for key in self.nodes}

    def as_json(self) -> dict[str, object]:
        return {
            "nodes": [
                {"key": n.key, "kind": n.kind.value, "label": n.label, **n.about}
                for n in self.nodes.values()
            ],
            "edges": [{"from": a, "kind": e.value, "to": b} for a, e, b in self.edges],
            "depth": self.depth,
            "whole": self.whole,
            "gaps": [vars(gap) for gap in self.gaps],
        }

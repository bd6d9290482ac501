# SPDX-License-Identifier: Apache-2.0
"""`lineage`: from a model's SHA or version, its dataset and tables, back to Kafka offsets.

Nothing here is kept beside the things themselves: the promotion ledger says what a version was
trained on, the dataset's card which table versions it was made of, the tables' logs what those were
made of, and bronze commits which offsets they took.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import polars as pl

from bls.errors import SkynetError
from export.manifest import MANIFEST_NAME, file_sha256
from pipelines_dagster.defs.lineage.graph import Edge, Gap, Graph, Kind, Node
from pipelines_dagster.defs.lineage.offsets import spans_of
from pipelines_dagster.lake.files import open_files
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.settings import PipelineSettings

_PROMOTIONS = "ops/promotions"
_TRAINED = "trained"
_CARD = "dataset.json"
_SHORT = 12


@dataclass(frozen=True)
class Version:
    """A model version and what is noted of its training."""

    subsystem: str
    version: str
    sha256: str
    details: Mapping[str, Any]


def lineage(settings: PipelineSettings, name: str) -> Graph:
    """The graph of a model.

    Args:
        name: its version, its manifest's SHA-256, or the beginning of that (8 digits or more).

    Raises:
        SkynetError: `no_model`, `ambiguous_model`.
    """
    lake = settings.open_lake()
    found = find(settings, lake, name)
    graph = Graph()
    about = {"sha256": found.sha256, "subsystem": found.subsystem}
    model = graph.add(Node(f"model/{found.version}", Kind.MODEL, found.version, about))
    code = str(found.details.get("code", ""))
    if code:
        node = graph.add(Node(f"code/{code}", Kind.CODE, f"code {code[:_SHORT]}"))
        graph.link(node, Edge.GENERATED, model)
    dataset = str(found.details.get("dataset", ""))
    card = _card(lake, dataset)
    tables = card.get("lake") or found.details.get("lake") or {}
    if not dataset and tables:
        _tables(lake, graph, model, {str(table): int(at) for table, at in tables.items()})
        return graph
    if not dataset:
        graph.gaps.append(Gap(found.version, "nothing says what it was trained on"))
        return graph
    node = _dataset(graph, dataset, card, str(found.details.get("dataset_sha256", "")))
    graph.link(node, Edge.USED, model)
    _tables(lake, graph, node, {str(table): int(at) for table, at in tables.items()})
    return graph


def find(settings: PipelineSettings, lake: Lake, name: str) -> Version:
    """The version of that name or hash. Raises `no_model`, `ambiguous_model`."""
    known = {one.version: one for one in (*_stored(settings), *_promoted(lake))}
    if name in known:
        return known[name]
    hits = [one for one in known.values() if len(name) >= 8 and one.sha256.startswith(name)]
    if not hits:
        raise SkynetError("no_model", "No model of this version or SHA-256 is known.", 404)
    if len({one.sha256 for one in hits}) > 1:
        raise SkynetError("ambiguous_model", "Several models begin so; give more digits.", 409)
    return hits[0]


def newest(lake: Lake) -> list[str]:
    """The version of each subsystem that was promoted last."""
    if lake.open(_PROMOTIONS) is None:
        return []
    live = pl.col("event").is_in(["promoted", "restored"])
    rows = lake.scan(_PROMOTIONS).filter(live).sort("ts").collect()
    return list(dict(rows.select("subsystem", "version").rows()).values())


def _promoted(lake: Lake) -> list[Version]:
    if lake.open(_PROMOTIONS) is None:
        return []
    rows = lake.scan(_PROMOTIONS).filter(pl.col("event") == _TRAINED).sort("ts").collect()
    names = ("subsystem", "version", "sha256", "details")
    return [
        Version(subsystem, version, sha256, json.loads(details))
        for subsystem, version, sha256, details in rows.select(names).rows()
    ]


def _stored(settings: PipelineSettings) -> list[Version]:
    """Versions in the model folder; what their manifest says of their training."""
    found = []
    for path in sorted(settings.serving.models_folder.glob(f"*/*/{MANIFEST_NAME}")):
        try:
            details = json.loads(path.read_text(encoding="utf-8")).get("details", {})
        except ValueError:
            details = {}
        folder = path.parent
        found.append(Version(folder.parent.name, folder.name, file_sha256(path), details))
    return found


def _dataset(graph: Graph, dataset: str, card: Mapping[str, Any], sha256: str) -> Node:
    name = "/".join(dataset.rstrip("/").split("/")[-2:])
    about = {"sha256": sha256, "days": " to ".join(card.get("days", ()))}
    node = graph.add(Node(f"dataset/{name}", Kind.DATASET, name, about))
    code = str(card.get("code", ""))
    if code:
        made = graph.add(Node(f"code/{code}", Kind.CODE, f"code {code[:_SHORT]}"))
        graph.link(made, Edge.GENERATED, node)
    if not card:
        graph.gaps.append(Gap(name, "its card is gone"))
    return node


def _card(lake: Lake, dataset: str) -> Mapping[str, Any]:
    """`dataset.json`, also of a set whose rows are gone already."""
    path = unquote(urlsplit(dataset).path).rstrip("/")
    below = "/".join(("gold", *path.split("/")[-2:]))  # a set fetched from a bucket lies elsewhere
    try:
        card = json.loads(open_files(lake).read(f"{below}/{_CARD}"))
    except (OSError, ValueError, KeyError):
        return {}
    except Exception as fault:  # the object store's own: not there
        if type(fault).__name__ not in ("NoSuchKey", "ClientError"):
            raise
        return {}
    return card if isinstance(card, dict) else {}


def _tables(lake: Lake, graph: Graph, dataset: Node, versions: Mapping[str, int]) -> None:
    nodes = {table: _table(graph, table, at) for table, at in sorted(versions.items())}
    used: set[str] = set()
    for table, at in versions.items():
        sources = _sources(lake, table, at, versions) if table.startswith("silver/") else {}
        for source in sources:
            graph.link(nodes[source], Edge.USED, nodes[table])
            used.add(source)
        if table.startswith("silver/") and not sources:
            graph.gaps.append(Gap(f"{table} version {at}", "nothing says what it was made of"))
        if table.startswith("bronze/"):
            _kafka(lake, graph, nodes[table], table, at)
    for table, node in nodes.items():
        if table not in used:
            graph.link(node, Edge.USED, dataset)
    if not versions:
        graph.gaps.append(Gap(dataset.label, "its card names no tables"))


def _table(graph: Graph, table: str, version: int) -> Node:
    kind = Kind.BRONZE if table.startswith("bronze/") else Kind.SILVER
    return graph.add(Node(f"{table}@{version}", kind, f"{table} v{version}"))


def _sources(lake: Lake, table: str, version: int, known: Mapping[str, int]) -> dict[str, int]:
    """Tables that a version was made of, as it noted itself (its transactions)."""
    found = lake.open(table)
    if found is None or found.version() < version:
        return {}
    found.load_as_version(version)
    noted = {one: found.transaction_version(one) for one in known if one != table}
    return {one: int(at) for one, at in noted.items() if at is not None}


def _kafka(lake: Lake, graph: Graph, node: Node, table: str, version: int) -> None:
    spans, gaps = spans_of(lake, table, version)
    for span in spans:
        about = {"cluster": span.cluster, "commits": str(span.commits)}
        key = f"kafka/{span.cluster}/{span.name}"
        graph.link(graph.add(Node(key, Kind.KAFKA, span.name, about)), Edge.GENERATED, node)
    graph.gaps += gaps

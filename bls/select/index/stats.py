# SPDX-License-Identifier: Apache-2.0
"""Running totals of the index, as `mro_index_*` series."""

from __future__ import annotations

from dataclasses import dataclass, field

from bls.totals import Totals


@dataclass
class IndexStats:
    """Attributes:
    creatives: that may be chosen, by axes.
    reloads: generations put to work, by where they came from (`database`, `version`).
    refusals: versions and builds that failed, by code.
    restarts: generations that were built because one had failed.
    removed: creatives taken out by a tombstone or an erasure.
    faults: reads and writes of the database that failed.
    """

    generation: int = 0
    build_s: float = 0.0
    restarts: int = 0
    added: int = 0
    embedded: int = 0
    removed: int = 0
    faults: int = 0
    failures: int = 0
    creatives: Totals = field(default_factory=Totals)
    reloads: Totals = field(default_factory=Totals)
    refusals: Totals = field(default_factory=Totals)


COUNTERS = {
    "mro_index_reloads_total": ("reloads", "Generations of the index put to work, by source"),
    "mro_index_refusals_total": ("refusals", "Versions and builds that failed, by code"),
    "mro_index_restarts_total": ("restarts", "Generations built because one had failed"),
    "mro_index_added_total": ("added", "Creatives added since their index was built"),
    "mro_index_embedded_total": ("embedded", "Creatives embedded"),
    "mro_index_removed_total": ("removed", "Creatives taken out at once"),
    "mro_index_source_faults_total": ("faults", "Reads of the database that failed"),
    "mro_index_search_failures_total": ("failures", "Searches the main index did not answer"),
}
GAUGES = {
    "mro_index_creatives": ("creatives", "Creatives that may be chosen, by axes"),
    "mro_index_generation": ("generation", "Number of the generation put to work last"),
    "mro_index_build_seconds": ("build_s", "What the last generation took to build or load"),
}

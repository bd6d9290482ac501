# SPDX-License-Identifier: Apache-2.0
"""`python -m export.llm.awq_calibrate`: an AWQ 4-bit export of a model, and how far off it is.

Writes an exported folder under the cache (it serves like any other; `current.json` is not touched)
with `awq_parity.csv` and `awq_parity.json` beside the model. A GGUF whose projections are 4 bits
already is served without loss by `python -m export.llm`: AWQ is for float checkpoints.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from export.errors import ExportError
from export.llm.api import DEFAULT_CACHE, export_source
from export.llm.awq_parity import ACTIVATIONS, GOAL, compare, write_csv
from export.llm.awq_scales import AwqCheckpoint, LayerScales, search
from export.llm.parity import SHIPPED_CHATS, measure
from export.llm.sources import AUTO, Source, resolve

CALIBRATION_TOKENS = 128


@dataclass(frozen=True)
class AwqSource(Source):
    """A source, rounded with these scales."""

    base: Source
    scales: Sequence[LayerScales]

    def sha256(self) -> str:
        digest = hashlib.sha256(f"awq {self.base.sha256()}".encode())
        for layer in self.scales:
            for values in asdict(layer).values():
                digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    def open(self) -> AwqCheckpoint:
        return AwqCheckpoint(self.base.open(), self.scales)


def calibrate(source: str, cache: Path) -> tuple[Path, AwqCheckpoint]:
    """Search the scales and export; the folder, and the checkpoint that was exported."""
    base = resolve(source)
    plain = export_source(base, cache)
    scales = search(base.open(), _chats(plain))
    named = AwqSource(base.path, f"{base.label} (awq)", f"{base.name}-awq", base, scales)
    return export_source(named, cache), named.open()


def _chats(folder: Path) -> list[list[int]]:
    """Token ids of the shipped chats, as plain text."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    lines = SHIPPED_CHATS.read_text(encoding="utf-8").splitlines()
    texts = ["\n".join(turn["content"] for turn in json.loads(line)["turns"]) for line in lines]
    return [ids for text in texts if (ids := tokenizer.encode(text).ids[:CALIBRATION_TOKENS])]


def main() -> int:
    """Exit status: 0 written, 1 with the error on stderr."""
    parser = argparse.ArgumentParser(prog="python -m export.llm.awq_calibrate", description=__doc__)
    parser.add_argument("--source", default=AUTO, help="as for python -m export.llm")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="default: %(default)s")
    parser.add_argument("--tokens", type=int, default=600, help="positions of the model's parity")
    arguments = parser.parse_args()
    try:
        folder, checkpoint = calibrate(arguments.source, arguments.cache)
        base = resolve(arguments.source).open()
        rows = compare(checkpoint, lambda n, kind: base.projection(n, kind).dequantise())
        write_csv(rows, folder / "awq_parity.csv")
        whole = measure(folder, arguments.source, SHIPPED_CHATS, arguments.tokens)
    except ExportError as error:
        print(error, file=sys.stderr)
        return 1
    report: dict[str, Any] = {
        "cg_awq_delta_max": max(row.served_max for row in rows),
        "weights_delta_max": max(row.weights_max for row in rows),
        "weights_delta_rms": float(np.mean([row.weights_rms for row in rows])),
        "served_delta_rms": float(np.mean([row.served_rms for row in rows])),
        "activations": ACTIVATIONS,
        "within_goal": sum(row.served_max <= GOAL for row in rows),
        "matrices": len(rows),
        "model": asdict(whole),
    }
    (folder / "awq_parity.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

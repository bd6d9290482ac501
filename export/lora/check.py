# SPDX-License-Identifier: Apache-2.0
"""An adapter's rows in the exported graph against the same weights merged in torch.

    python -m export.lora.check --adapter FOLDER [--model FOLDER] [--source auto]

Without the adapter the two differ by the graph's int8 activations alone; with it the difference
must be of the same size.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bls.llm.kv_cache import KVCache
from bls.llm.session import LLMSession, SessionOptions
from bls.models.served import served_id
from export.llm.api import DEFAULT_CACHE
from export.llm.cache import get_current
from export.llm.sources import AUTO, resolve
from export.manifest import MANIFEST_NAME, file_sha256

_PROMPT = 24


@dataclass(frozen=True)
class Difference:
    """Largest |logit| differences: graph and torch, without and with the adapter; and of the graph
    with and without it, which is what the adapter does. `top1`: share of positions where graph and
    torch agree on the best token, with the adapter."""

    plain: float
    adapted: float
    effect: float
    top1: float


def compare(folder: Path, source: str, adapter: Path, ids: list[int]) -> Difference:
    """On `ids`: the first `_PROMPT` are prefilled, the others decoded one by one."""
    from peft import PeftModel  # noqa: PLC0415  (seconds)

    from export.lora.base import load_base  # noqa: PLC0415

    base = load_base(resolve(source).open())
    plain = _torch(base, ids)
    merged = PeftModel.from_pretrained(base, str(adapter)).merge_and_unload()
    expected = _torch(merged, ids)
    ours, adapted = _graph(folder, adapter, ids)
    return Difference(
        float(np.abs(ours - plain).max()),
        float(np.abs(adapted - expected).max()),
        float(np.abs(adapted - ours).max()),
        float((adapted.argmax(-1) == expected.argmax(-1)).mean()),
    )


def _torch(model: Any, ids: list[int]) -> NDArray[np.float32]:
    """Logits from the last prompt position on."""
    import torch  # noqa: PLC0415

    with torch.no_grad():
        logits = model(torch.tensor([ids]), use_cache=False).logits[0, _PROMPT - 1 :]
    return np.asarray(logits.numpy(), np.float32)


def _graph(
    folder: Path, adapter: Path, ids: list[int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The same from two rows of one batch: without and with the adapter."""
    session = LLMSession(folder, SessionOptions(threads=1, rows=2, spin=False))
    bank = session.bank
    if bank is None:
        raise SystemExit("the model has no graph for adapters: python -m export.llm --force")
    sha256 = file_sha256(adapter / MANIFEST_NAME)
    bank.claim(served_id(sha256))
    bank.load(served_id(sha256), adapter, sha256)
    slots = np.array([-1, 0], np.int64)
    cache = KVCache(session.manifest, 2, len(ids) + 1)
    for row in (0, 1):
        session.prefill(cache, row, np.array(ids[:_PROMPT], np.int64), 0, int(slots[row]))
    seen = [session.logits.copy()]
    for at in range(_PROMPT, len(ids)):
        token, past = np.full(2, ids[at], np.int64), np.full(2, at, np.int32)
        session.decode(cache, 0, token, past, slots)
        seen.append(session.logits.copy())
    both = np.stack(seen, axis=1)
    return both[0], both[1]


def main() -> None:
    """Print the differences as JSON."""
    parser = argparse.ArgumentParser(prog="python -m export.lora.check", description=__doc__)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="an exported model folder; else the current")
    parser.add_argument("--source", default=AUTO)
    parser.add_argument("--tokens", type=int, default=48)
    arguments = parser.parse_args()
    folder = arguments.model or get_current(DEFAULT_CACHE / "llm")
    ids = np.random.default_rng(0).integers(1000, 20_000, arguments.tokens).tolist()
    print(json.dumps(asdict(compare(folder, arguments.source, arguments.adapter, ids)), indent=1))


if __name__ == "__main__":
    main()

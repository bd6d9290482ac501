# SPDX-License-Identifier: Apache-2.0
"""Parity report: the deployed int4 graph against a float32 forward of the same source weights.

Real chats are teacher-forced. The first turn goes through chunked prefill (compared at every chunk
end), all later tokens through decode steps with several chats as rows: the two paths that serve.

    python -m export.llm.parity --model DIR [--source auto] [--text chats.jsonl] [--tokens 2000]

The reference dequantises GGUF weights with the `gguf` package.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from export.errors import ExportError
from export.llm.api import DEFAULT_CACHE
from export.llm.cache import get_current
from export.llm.quant import F32
from export.llm.reference import Reference, load_reference
from export.llm.runner import OnnxLLM
from export.llm.sources import AUTO, resolve

SHIPPED_CHATS = Path(__file__).with_name("parity_chats.jsonl")
_CHUNK = 16
_ROWS = 8
_LONGEST = 1024


@dataclass(frozen=True)
class Parity:
    """Agreement over `positions`; KL is KL(reference || exported) in nats."""

    positions: int
    prefill_positions: int
    decode_positions: int
    top1_agreement: float
    kl_mean: float
    kl_p99: float
    logit_delta_max: float
    logit_delta_mean: float
    perplexity_reference: float
    perplexity_exported: float


@dataclass(frozen=True)
class _Chat:
    ids: list[int]
    prompt: int  # tokens of the first turn, fed by prefill


class _Tally:
    """Collects one row of figures per compared position."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, ...]] = []
        self.prefill = 0

    def add(self, reference: F32, exported: F32, target: int | None) -> None:
        ours, theirs = _log_softmax(exported), _log_softmax(reference)
        delta = np.abs(exported.astype(np.float64) - reference)
        kl = float((np.exp(theirs) * (theirs - ours)).sum())
        same = float(exported.argmax() == reference.argmax())
        losses = (np.nan, np.nan) if target is None else (-theirs[target], -ours[target])
        self.rows.append((same, kl, float(delta.max()), float(delta.mean()), *map(float, losses)))

    def result(self) -> Parity:
        table = np.array(self.rows)
        loss_reference, loss_exported = np.nanmean(table[:, 4:], axis=0)
        return Parity(
            positions=len(table),
            prefill_positions=self.prefill,
            decode_positions=len(table) - self.prefill,
            top1_agreement=float(table[:, 0].mean()),
            kl_mean=float(table[:, 1].mean()),
            kl_p99=float(np.percentile(table[:, 1], 99)),
            logit_delta_max=float(table[:, 2].max()),
            logit_delta_mean=float(table[:, 3].mean()),
            perplexity_reference=float(np.exp(loss_reference)),
            perplexity_exported=float(np.exp(loss_exported)),
        )


def measure(model: Path, source: str, chats: Path, tokens: int, rows: int = _ROWS) -> Parity:
    """Compare on at least `tokens` positions (all, if fewer), `rows` chats at a time."""
    reference = load_reference(resolve(source))
    llm = OnnxLLM(model, rows, _LONGEST)
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    texts = _chats(chats, tokenizer, llm.manifest.chat_template)
    tally = _Tally()
    while len(tally.rows) < tokens:
        group = [chat for _, chat in zip(range(rows), texts, strict=False)]
        if not group:
            break
        _compare(group, llm, reference, tally)
    if not tally.rows:
        raise ExportError("text_empty", f"{chats.name} holds no chat with two turns")
    return tally.result()


def _compare(group: list[_Chat], llm: OnnxLLM, reference: Reference, tally: _Tally) -> None:
    """Prefill each chat's first turn, then decode all chats together, one token a step."""
    expected = [reference.logits(chat.ids) for chat in group]
    for row, chat in enumerate(group):
        for start in range(0, chat.prompt, _CHUNK):
            stop = min(start + _CHUNK, chat.prompt)
            logits = llm.forward([chat.ids[start:stop]], [start], row)
            tally.add(expected[row][stop - 1], logits[0], _target(chat, stop))
            tally.prefill += 1
    position = [chat.prompt for chat in group]
    while any(at < len(chat.ids) for at, chat in zip(position, group, strict=True)):
        fed = [min(at, len(chat.ids) - 1) for at, chat in zip(position, group, strict=True)]
        ids = [[chat.ids[at]] for at, chat in zip(fed, group, strict=True)]
        logits = llm.forward(ids, fed)
        for row, chat in enumerate(group):
            if position[row] < len(chat.ids):
                tally.add(expected[row][fed[row]], logits[row], _target(chat, fed[row] + 1))
                position[row] += 1


def _target(chat: _Chat, index: int) -> int | None:
    return chat.ids[index] if index < len(chat.ids) else None


def _chats(path: Path, tokenizer: Tokenizer, template: str) -> Iterator[_Chat]:
    """Rendered chats of a JSONL file ({"turns": [{"role", "content"}]}), .gz allowed."""
    render = ImmutableSandboxedEnvironment().from_string(template).render
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for line in lines:
            turns = json.loads(line)["turns"]
            if len(turns) < 2:
                continue
            first = render(messages=turns[:1], add_generation_prompt=True)
            whole = tokenizer.encode(render(messages=turns), add_special_tokens=False).ids
            prompt = len(tokenizer.encode(first, add_special_tokens=False).ids)
            yield _Chat(whole[:_LONGEST], min(prompt, _LONGEST))


def _log_softmax(logits: F32) -> npt.NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))


def main() -> int:
    """Print the table and write parity.json beside the model."""
    parser = argparse.ArgumentParser(prog="python -m export.llm.parity", description=__doc__)
    parser.add_argument("--model", type=Path, help="an exported model folder; else the current")
    parser.add_argument("--source", default=AUTO, help="what it was exported from")
    parser.add_argument("--text", type=Path, default=SHIPPED_CHATS, help="JSONL of chats")
    parser.add_argument("--tokens", type=int, default=2000, help="positions to compare")
    arguments = parser.parse_args()
    try:
        model = arguments.model or get_current(DEFAULT_CACHE / "llm")
        parity = measure(model, arguments.source, arguments.text, arguments.tokens)
    except ExportError as error:
        print(error, file=sys.stderr)
        return 1
    report: dict[str, Any] = {"text": arguments.text.name, **asdict(parity)}
    (model / "parity.json").write_text(json.dumps(report, indent=2) + "\n")
    for name, value in report.items():
        print(f"{name:22s} {value:.6g}" if isinstance(value, float) else f"{name:22s} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""`python -m export.summariser.compare`: every way to condense a chat in one table.

Measured on dialogues that nothing was trained on; `--write docs/condense.md` puts the tables
between the marks in that page.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from bls.condense.spelling import Spelling
from bls.condense.summariser import TOKENIZER
from bls.condense.windows import Policy, cut, policy_of
from bls.contracts import SUMMARY_WINDOW
from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.settings import Settings
from export.errors import ExportError
from export.llm.runner import OnnxLLM
from export.summariser.chats import TEST, read_chats, windows_of
from export.summariser.dataset import rarity_of, split
from export.summariser.methods import Centroid, Method, lead, network, rule
from export.summariser.replies import LongChat, log_likelihood, long_chats
from export.summariser.rouge import Rouge, measure

BEGIN, FINISH = "<!-- compared -->", "<!-- /compared -->"
POLICIES = ("first", "recent", "salient")
_RUNS, _CHUNK = 30, 128


@dataclass(frozen=True)
class Row:
    """One method: ROUGE, milliseconds for 8 windows (p50, p95) by threads, and the mean gain of the
    reply's log-likelihood over the tail alone, in nats a token, by window policy."""

    rouge: Rouge
    times: Mapping[int, tuple[float, float]]
    gains: Mapping[str, float]


@dataclass(frozen=True)
class Likelihoods:
    """Mean ln P a token of the replies with all of the chat, and with the tail alone."""

    full: float
    tail: float
    by: Mapping[tuple[str, str], float]
    chats: int


def times_of(method: Method, windows: Sequence[Sequence[int]]) -> tuple[float, float]:
    """p50 and p95 of 8 windows, ms; every run has its own."""
    took = []
    for run in range(_RUNS):
        some = [windows[(8 * run + at) % len(windows)] for at in range(8)]
        began = time.perf_counter()
        method(some)
        took.append(1e3 * (time.perf_counter() - began))
    return float(np.median(took)), float(np.quantile(took, 0.95))


def likelihoods(
    chats: Sequence[LongChat],
    methods: Mapping[str, Method],
    policies: Mapping[str, Policy],
    llm: OnnxLLM,
    line_break: Sequence[int],
) -> Likelihoods:
    """Of the replies after each way of condensing."""
    full, tail = [], []
    by: dict[tuple[str, str], list[float]] = {(m, p): [] for m in methods for p in policies}
    for number, chat in enumerate(chats):
        full.append(log_likelihood(llm, (*chat.head, *chat.tail), chat.reply))
        tail.append(log_likelihood(llm, chat.tail, chat.reply))
        windows = cut(chat.head)
        for policy, choose in policies.items():
            kept = [windows[at] for at in choose(windows, LIMITS.summaries)]
            for name, method in methods.items():
                said = [token for one in method(kept) for token in (*one, *line_break)]
                by[name, policy].append(log_likelihood(llm, (*said, *chat.tail), chat.reply))
        print(f"chat {number + 1} of {len(chats)}", file=sys.stderr, flush=True)
    means = {pair: _mean(values) for pair, values in by.items()}
    return Likelihoods(_mean(full), _mean(tail), means, len(chats))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def table(rows: Mapping[str, Row], found: Likelihoods) -> str:
    """The page's tables."""
    head = ["method", "ROUGE-1 drop", "ROUGE-1 F1", "tokens", "8 windows, 1 thread: p50 / p95 ms"]
    head += ["2 threads", *(f"reply, `{policy}`" for policy in POLICIES)]
    lines = [_line(head), _line(["---"] * len(head))]
    for name, row in rows.items():
        times = [f"{p50:.1f} / {p95:.1f}" for p50, p95 in (row.times[1], row.times[2])]
        gains = [f"{row.gains[policy]:+.4f}" if found.chats else "-" for policy in POLICIES]
        r = row.rouge
        lines.append(
            _line([name, f"{r.drop:.3f}", f"{r.f1:.3f}", f"{r.tokens:.1f}", *times, *gains])
        )
    if found.chats:
        told = (
            f"Reply: mean ln P a token over {found.chats} replies, less that after the tail alone"
        )
        full = found.full - found.tail
        lines += ["", f"{told} ({found.tail:.4f}). With the whole chat it is {full:+.4f}."]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write_into(page: Path, text: str) -> None:
    """Put the tables between the marks. Raises `ExportError` where those are not."""
    whole = page.read_text(encoding="utf-8")
    if BEGIN not in whole or FINISH not in whole:
        raise ExportError("page_invalid", "the page has no place for the tables")
    before, rest = whole.split(BEGIN, 1)
    after = rest.split(FINISH, 1)[1]
    page.write_text(f"{before}{BEGIN}\n{text}\n{FINISH}{after}", encoding="utf-8")


def compare(arguments: argparse.Namespace) -> str:
    """Measure everything."""
    folder = Settings().llm_folder()
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    spelling = Spelling.of(tokenizer)
    chats = read_chats(arguments.data)
    held = split(chats, TEST)
    names = {network(path).kind: path for path in arguments.models}
    plain: dict[str, Method] = {
        "lead-32": lead,
        "extractive centroid (MiniLM)": Centroid(tokenizer),
        "the targets' rule, no network": rule(spelling, rarity_of(chats)),
    }
    methods = plain | {name: network(path) for name, path in names.items()}
    wider = plain | {name: network(path, threads=2) for name, path in names.items()}
    windows = [w for chat in held for w, _ in windows_of(tokenizer, chat)]
    windows = [w for w in windows if len(w) == SUMMARY_WINDOW]
    rng = np.random.default_rng(arguments.seed)
    windows = [windows[at] for at in rng.permutation(len(windows))[: arguments.windows]]
    texts = tokenizer.decode_batch(windows)
    asked = long_chats(held, tokenizer, arguments.chats, arguments.seed, arguments.longest)
    room = max((one.tokens for one in asked), default=1) + _CHUNK
    found = likelihoods(
        asked,
        methods,
        {name: policy_of(name, spelling) for name in POLICIES},
        OnnxLLM(folder, 1, room, threads=arguments.threads),
        tokenizer.encode("\n", add_special_tokens=False).ids,
    )
    rows = {}
    for name, method in methods.items():
        said = [one for at in range(0, len(windows), 8) for one in method(windows[at : at + 8])]
        rouge = measure(texts, tokenizer.decode_batch(said), [len(one) for one in said])
        gains = {policy: found.by[name, policy] - found.tail for policy in POLICIES}
        times = {1: times_of(method, windows), 2: times_of(wider[name], windows)}
        rows[name] = Row(rouge, times, gains)
    return table(rows, found)


def main() -> int:
    """Exit status: 0 done, 1 with the error on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m export.summariser.compare", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True, help="dialogues, JSONL or JSONL.gz")
    parser.add_argument("--models", type=Path, nargs="*", default=[], help="versions, by folder")
    parser.add_argument("--chats", type=int, default=60, help="replies that are scored")
    parser.add_argument("--windows", type=int, default=1_000, help="windows that are summarised")
    parser.add_argument("--longest", type=int, default=2_000, help="tokens of a chat at most")
    parser.add_argument("--threads", type=int, default=2, help="of the LLM")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path, help="a page with marks for the tables")
    arguments = parser.parse_args()
    try:
        text = compare(arguments)
        if arguments.write:
            write_into(arguments.write, text)
    except (ExportError, SkynetError) as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""A trained classifier as one ONNX file: TRANSITIONS, STATS -> PROBABILITY, DIVERGENCE.

Kernels are normalised and compared inside the graph; the classes' sub-kernels are weights (their
logarithms). Written node by node, so that the same classifier always gives the same bytes. Mirrors
`fitted.Fitted`, its oracle, in f32.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from bls.contracts import AGENT_GRAPH, SessionStat
from bls.phantom.kernels import FIRST, STATES
from export.agent_score.fitted import BOUND, CLIP, Fitted, log_odds
from export.agent_score.inputs import BLOCKS, CATEGORIES, MEMBERS, PLAIN
from export.llm.onnx_writer import OnnxWriter

_CELLS = STATES * STATES
_TRANSITIONS, _STATS = AGENT_GRAPH.inputs
_PROBABILITY, _DIVERGENCE = AGENT_GRAPH.outputs


class _Graph:
    """An `OnnxWriter` with the few operators this graph is made of; f32 throughout."""

    def __init__(self, path: Path) -> None:
        self.writer = OnnxWriter(path)

    def op(self, op: str, name: str, *inputs: str, **attributes: Any) -> str:
        return self.writer.node(op, inputs, name, **attributes)

    def scalar(self, value: float) -> str:
        return self.writer.weight(f"value_{value!r}", np.array(value, np.float32))

    def weight(self, name: str, values: NDArray[Any]) -> str:
        return self.writer.weight(name, np.ascontiguousarray(values, np.float32))

    def part(self, name: str, x: str, start: int, stop: int) -> str:
        """Places start to stop of axis 1."""
        ints = self.writer.ints
        return self.op("Slice", name, x, ints(start), ints(stop), ints(1))

    def total(self, name: str, x: str, *axes: int, keep: int = 1) -> str:
        return self.op("ReduceSum", name, x, self.writer.ints(*axes), keepdims=keep)

    def least(self, name: str, x: str) -> str:
        return self.op("ReduceMin", name, x, self.writer.ints(1), keepdims=1)

    def share(self, name: str, part: str, whole: str) -> str:
        """part / max(whole, 1)."""
        return self.op("Div", name, part, self.op("Max", f"{name}.1", whole, self.scalar(1.0)))

    def flat(self, name: str, x: str, width: int) -> str:
        return self.op("Reshape", name, x, self.writer.ints(-1, width))


def build(fitted: Fitted) -> onnx.ModelProto:
    """The graph, weights inside, checked by onnx."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        graph = _Graph(path)
        _whole(graph, fitted)
        graph.writer.save("agent_score")
        model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    return model


def write(model: onnx.ModelProto, path: Path) -> None:
    """The same model gives the same bytes."""
    path.write_bytes(model.SerializeToString(deterministic=True))


def _whole(graph: _Graph, fitted: Fitted) -> None:
    counts, rows = (
        graph.writer.input(one.name, TensorProto.FLOAT, ["n", *one.dims])
        for one in AGENT_GRAPH.inputs
    )
    moved = graph.part("moved", counts, 0, STATES)
    first = graph.flat("first", graph.part("first.row", counts, FIRST, FIRST + 1), STATES)
    events = graph.flat("events", graph.total("events.sum", counts, 1, 2), 1)
    deltas, both = _divergences(graph, moved, fitted)
    blocks = {
        "divergence": lambda: deltas,
        "acts": lambda: _acts(graph, counts, first, events),
        "pairs": lambda: _pairs(graph, moved),
        "categories": lambda: _categories(graph, moved, first),
        "stats": lambda: _stats(graph, rows),
    }
    chosen = [blocks[name]() for name in BLOCKS if name in fitted.config.blocks]
    x = graph.op("Concat", "inputs", *chosen, axis=1)
    z = _classifier(graph, x, fitted)
    _calibrated(graph, z, events, fitted)
    graph.op("Identity", _DIVERGENCE.name, both)
    for tensor in AGENT_GRAPH.outputs:
        graph.writer.output(tensor.name, TensorProto.FLOAT, ["n", *tensor.dims])


def _divergences(graph: _Graph, moved: str, fitted: Fitted) -> tuple[str, str]:
    """(every input of the block, [Delta_H, Delta_A]); see `bls.phantom.divergence`."""
    smoothing = fitted.config.smoothing
    row = graph.total("row", moved, 2)
    smoothed = graph.op("Add", "row.smoothed", row, graph.scalar(STATES * smoothing))
    added = graph.op("Add", "moved.smoothed", moved, graph.scalar(smoothing))
    own = graph.op("Div", "own", added, smoothed)
    seen = graph.op("Min", "seen", graph.op("Ceil", "seen.any", row), graph.scalar(1.0))
    share = graph.op("Mul", "own.seen", own, seen)
    logs = graph.op("Log", "own.log", own)
    inside = graph.flat("self", graph.total("self.sum", _mul(graph, share, logs), 1, 2), 1)
    kernels = np.concatenate([fitted.human, fitted.agent])
    weights = graph.weight("log_kernels", np.log(kernels).reshape(len(kernels), _CELLS).T)
    cross = graph.op("MatMul", "cross", graph.flat("own.flat", share, _CELLS), weights)
    rows = graph.flat("rows", graph.total("rows.sum", seen, 1, 2), 1)
    each = graph.share("deltas", graph.op("Sub", "deltas.sum", inside, cross), rows)
    human = graph.part("each.human", each, 0, len(fitted.human))
    agent = graph.part("each.agent", each, len(fitted.human), len(kernels))
    near = [graph.least("delta_human", human), graph.least("delta_agent", agent)]
    gap = graph.op("Sub", "gap", *near)
    both = graph.op("Concat", "both", *near, axis=1)
    return graph.op("Concat", "divergence", each, both, gap, axis=1), both


def _mul(graph: _Graph, a: str, b: str) -> str:
    return graph.op("Mul", f"{a}.{b}", a, b)


def _acts(graph: _Graph, counts: str, first: str, events: str) -> str:
    acts = graph.total("acts.sum", counts, 1, keep=0)
    root = graph.op("Sqrt", "acts.root", graph.share("acts.share", acts, events))
    return graph.op("Concat", "acts", first, root, axis=1)


def _pairs(graph: _Graph, moved: str) -> str:
    return _roots(graph, "pairs", graph.flat("pairs.flat", moved, _CELLS))


def _categories(graph: _Graph, moved: str, first: str) -> str:
    to = graph.weight("members", MEMBERS)
    left = graph.op("MatMul", "categories.left", graph.weight("members.t", MEMBERS.T), moved)
    both = graph.op("MatMul", "categories.both", left, to)
    roots = _roots(graph, "categories.pairs", graph.flat("categories.flat", both, CATEGORIES**2))
    came = graph.op("MatMul", "categories.first", first, to)
    return graph.op("Concat", "categories", came, roots, axis=1)


def _roots(graph: _Graph, name: str, moved: str) -> str:
    share = graph.share(f"{name}.share", moved, graph.total(f"{name}.sum", moved, 1))
    return graph.op("Sqrt", name, share)


def _stats(graph: _Graph, rows: str) -> str:
    def stat(which: SessionStat) -> str:
        return graph.part(f"stat.{which.name}", rows, which, which + 1)

    index = graph.writer.weight("plain", np.array(PLAIN, np.int64))
    plain = graph.op("Gather", "stats.plain", rows, index, axis=1)
    events = stat(SessionStat.EVENTS)
    items = graph.share("stats.items", stat(SessionStat.ITEMS), events)
    log = graph.op("Log", "events.log", graph.op("Add", "events.1", events, graph.scalar(1.0)))
    quotes = graph.op("Sub", "stats.quotes", stat(SessionStat.QUOTES), log)
    return graph.op("Concat", "stats", plain, items, quotes, axis=1)


def _classifier(graph: _Graph, x: str, fitted: Fitted) -> str:
    centred = graph.op("Sub", "centred", x, graph.weight("mean", fitted.mean))
    x = graph.op("Div", "standard", centred, graph.weight("scale", fitted.scale))
    x = graph.op("Clip", "clipped", x, graph.scalar(-CLIP), graph.scalar(CLIP))
    for at, (weight, bias) in enumerate(fitted.layers):
        names = graph.weight(f"layer_{at}.w", weight), graph.weight(f"layer_{at}.b", bias)
        x = graph.op("Gemm", f"layer_{at}", x, *names)
        if at + 1 < len(fitted.layers):
            x = graph.op("Relu", f"layer_{at}.relu", x)
    return x


def _calibrated(graph: _Graph, z: str, events: str, fitted: Fitted) -> None:
    far = graph.op("Tanh", "z.tanh", graph.op("Div", "z.part", z, graph.scalar(BOUND)))
    scaled = graph.op("Mul", "z.scaled", far, graph.scalar(BOUND * fitted.slope))
    moved = graph.op("Add", "z.moved", scaled, graph.scalar(fitted.offset))
    past = graph.op("Relu", "past", graph.op("Sub", "past.1", events, graph.scalar(1.0)))
    whole = graph.op("Add", "past.whole", past, graph.scalar(fitted.config.patience))
    held = graph.op("Mul", "held", graph.op("Div", "evidence", past, whole), moved)
    logit = graph.op("Add", "logit", held, graph.scalar(log_odds(fitted.config.prior)))
    graph.op("Sigmoid", _PROBABILITY.name, logit)

# SPDX-License-Identifier: Apache-2.0
"""A trained TT-Tiny as one ONNX file: FEATURES f32 [n, 150] -> MIXTURE f32 [n, 5].

Written node by node, so that the same weights always give the same bytes. Centring, PCA and the
sum with the window's mean are f32 in every variant. With `int8`, the weights of the embedding,
the layers and the head's token part are stored as int8 with one scale per output. They are
multiplied out by Cast and Mul, which a runtime folds when it loads the file: activations stay
f32, so no forecast depends on the rows beside it, nor jumps where a rounding flips.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from bls.brain.features import MEAN, PAST
from bls.contracts import FEATURES, WINDOW
from export.bid_predictor.network import LOG_HALF, LOG_MIDDLE, TTTiny
from export.bid_predictor.pca import LIMIT
from export.llm.onnx_writer import OnnxWriter

F32 = NDArray[np.float32]

EXACT = ("pca", "skip")
"""MatMul nodes that stay in f32 whatever the rest is quantised to."""


class _Graph:
    """An `OnnxWriter` with the handful of layers TT-Tiny is made of."""

    def __init__(self, path: Path, network: TTTiny, int8: bool) -> None:
        self.writer = OnnxWriter(path)
        self.config = network.config
        self._weights = {key: value.numpy() for key, value in network.state_dict().items()}
        self._int8 = int8

    def tensor(self, name: str) -> F32:
        return np.asarray(self._weights[name], np.float32)

    def op(self, op: str, name: str, *inputs: str, **attributes: Any) -> str:
        return self.writer.node(op, inputs, name, **attributes)

    def scalar(self, value: float) -> str:
        return self.writer.weight(f"value_{value!r}", np.array(value, np.float32))

    def matmul(self, name: str, x: str, weight: F32) -> str:
        """x @ weight [in, out]; int8 per output where allowed."""
        if not self._int8 or name in EXACT:
            return self.op("MatMul", name, x, self.writer.weight(f"{name}.w", weight))
        scale = np.maximum(np.abs(weight).max(axis=0), 1e-12) / np.float32(127)
        codes = self.writer.weight(f"{name}.w", np.rint(weight / scale).astype(np.int8))
        scales = self.writer.weight(f"{name}.scale", scale.astype(np.float32))
        whole = self.op("Cast", f"{name}.whole", codes, to=TensorProto.FLOAT)
        return self.op("MatMul", name, x, self.op("Mul", f"{name}.f32", whole, scales))

    def linear(self, name: str, x: str) -> str:
        product = self.matmul(name, x, self.tensor(f"{name}.weight").T.copy())
        bias = self.writer.weight(f"{name}.bias", self.tensor(f"{name}.bias"))
        return self.op("Add", f"{name}.sum", product, bias)

    def norm(self, name: str, x: str) -> str:
        scale = self.writer.weight(f"{name}.weight", self.tensor(f"{name}.weight"))
        bias = self.writer.weight(f"{name}.bias", self.tensor(f"{name}.bias"))
        return self.op("LayerNormalization", name, x, scale, bias, axis=-1, epsilon=1e-5)

    def reshape(self, name: str, x: str, *shape: int) -> str:
        return self.op("Reshape", name, x, self.writer.ints(*shape))

    def columns(self, name: str, x: str, start: int, stop: int) -> str:
        ints = self.writer.ints
        return self.op("Slice", name, x, ints(start), ints(stop), ints(1))


def build(network: TTTiny, int8: bool) -> onnx.ModelProto:
    """The graph of `network`, weights inside, checked by onnx."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        graph = _Graph(path, network, int8)
        _whole(graph)
        graph.writer.save("bid_predictor")
        model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    return model


def write(model: onnx.ModelProto, path: Path) -> None:
    """The same model gives the same bytes."""
    path.write_bytes(model.SerializeToString(deterministic=True))


def _whole(graph: _Graph) -> None:
    features = graph.writer.input("FEATURES", TensorProto.FLOAT, ["n", FEATURES])
    centred, mean = _centre(graph, features)
    components = graph.tensor("pca_components").T.copy()
    shifted = graph.op("Sub", "pca.centred", centred, _buffer(graph, "pca_mean"))
    reduced = graph.matmul("pca", shifted, components)
    config = graph.config
    x = graph.reshape("tokens", graph.linear("embed", reduced), -1, config.tokens, config.width)
    for index in range(config.layers):
        x = _layer(graph, f"layers.{index}", x)
    _head(graph, graph.norm("norm", x), reduced, mean)
    graph.writer.output("MIXTURE", TensorProto.FLOAT, ["n", 5])


def _buffer(graph: _Graph, name: str) -> str:
    return graph.writer.weight(name, graph.tensor(name))


def _centre(graph: _Graph, features: str) -> tuple[str, str]:
    past = graph.columns("past", features, PAST.start, PAST.stop)
    total = graph.op("ReduceSum", "past.sum", past, graph.writer.ints(1), keepdims=1)
    mean = graph.op("Div", "past.mean", total, graph.scalar(WINDOW))
    parts = (
        graph.columns("context", features, 0, PAST.start),
        graph.op("Sub", "past.centred", past, mean),
        graph.op("Sub", "zero", mean, mean),
        graph.columns("rest", features, MEAN + 1, FEATURES),
    )
    joined = graph.op("Concat", "joined", *parts, axis=1)
    limits = graph.scalar(-LIMIT), graph.scalar(LIMIT)
    return graph.op("Clip", "centred", joined, *limits), mean


def _layer(graph: _Graph, name: str, x: str) -> str:
    config = graph.config
    size = config.width // config.heads
    qkv = graph.linear(f"{name}.qkv", graph.norm(f"{name}.norm_1", x))
    heads = graph.reshape(f"{name}.heads", qkv, -1, config.tokens, 3, config.heads, size)
    apart = graph.op("Transpose", f"{name}.apart", heads, perm=[2, 0, 3, 1, 4])
    parts = [
        graph.op("Gather", f"{name}.{part}", apart, graph.writer.weight(f"index_{at}", _at(at)))
        for at, part in enumerate(("q", "k", "v"))
    ]
    keys = graph.op("Transpose", f"{name}.k_t", parts[1], perm=[0, 1, 3, 2])
    match = graph.op("MatMul", f"{name}.match", parts[0], keys)
    scaled = graph.op("Mul", f"{name}.scaled", match, graph.scalar(size**-0.5))
    share = graph.op("Softmax", f"{name}.share", scaled, axis=-1)
    mixed = graph.op("MatMul", f"{name}.mixed", share, parts[2])
    order = graph.op("Transpose", f"{name}.order", mixed, perm=[0, 2, 1, 3])
    flat = graph.reshape(f"{name}.flat", order, -1, config.tokens, config.width)
    x = graph.op("Add", f"{name}.attended", x, graph.linear(f"{name}.out", flat))
    up = graph.op("Relu", f"{name}.relu", graph.linear(f"{name}.up", _norm_2(graph, name, x)))
    return graph.op("Add", f"{name}.done", x, graph.linear(f"{name}.down", up))


def _norm_2(graph: _Graph, name: str, x: str) -> str:
    return graph.norm(f"{name}.norm_2", x)


def _at(index: int) -> NDArray[np.int64]:
    return np.array(index, np.int64)


def _head(graph: _Graph, x: str, reduced: str, mean: str) -> None:
    config = graph.config
    units = config.tokens * config.width
    weight = graph.tensor("head.weight").T
    deep = graph.matmul("head", graph.reshape("flat", x, -1, units), weight[:units].copy())
    plain = graph.matmul("skip", reduced, weight[units:].copy())
    both = graph.op("Add", "units.sum", deep, plain)
    bias = graph.writer.weight("head.bias", graph.tensor("head.bias"))
    out = graph.op("Add", "units", both, bias)
    a, r_1, b, r_2, c = (graph.columns(f"unit_{at}", out, at, at + 1) for at in range(5))
    mu_1 = graph.op("Add", "mu_1", mean, a)
    mu_2 = graph.op("Add", "mu_2", mu_1, graph.op("Softplus", "gap", b))
    alpha = graph.op("Sigmoid", "alpha", c)
    parts = (mu_1, _sigma(graph, "s_1", r_1), mu_2, _sigma(graph, "s_2", r_2), alpha)
    graph.writer.node("Concat", parts, "mixture", outputs=["MIXTURE"], axis=1)


def _sigma(graph: _Graph, name: str, r: str) -> str:
    middle, half = graph.scalar(LOG_MIDDLE), graph.scalar(LOG_HALF)
    away = graph.op("Sub", f"{name}.away", r, middle)
    held = graph.op("Tanh", f"{name}.tanh", graph.op("Div", f"{name}.part", away, half))
    log = graph.op("Add", f"{name}.log", graph.op("Mul", f"{name}.held", held, half), middle)
    return graph.op("Exp", name, log)

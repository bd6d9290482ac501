# SPDX-License-Identifier: Apache-2.0
"""The classifier's folder: a real ONNX graph made here, and every way a folder can be wrong."""

from __future__ import annotations

import hashlib
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers

from bls.errors import SkynetError
from bls.policy.filter import load_filter
from bls.policy.onnx_classifier import OnnxClassifier

VOCABULARY = {"[UNK]": 0, "nice": 1, "vile": 2}
SCORES = (0.1, 0.2, 0.9)
"""Of each word of the vocabulary; a text is as bad as its worst word."""


def graph(scores: tuple[float, ...] = SCORES, output: str = "unsafe") -> bytes:
    """max over words of score[word] * mask[word]."""
    table = numpy_helper.from_array(np.array(scores, np.float32), "scores")
    axes = numpy_helper.from_array(np.array([1], np.int64), "axes")
    nodes = [
        helper.make_node("Gather", ["scores", "input_ids"], ["by_word"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["by_word", "mask"], ["masked"]),
        helper.make_node("ReduceMax", ["masked", "axes"], [output], keepdims=0),
    ]
    takes = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "length"])
        for name in ("input_ids", "attention_mask")
    ]
    gives = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n"])]
    made = helper.make_graph(nodes, "tiny", takes, gives, [table, axes])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def words() -> bytes:
    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return bytes(tokenizer.to_str().encode())


def write_model(folder: Path, model: bytes = b"", **changes: object) -> Path:
    """A folder that loads, but for `changes` to its manifest."""
    contents = {"model.onnx": model or graph(), "tokenizer.json": words()}
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    manifest = {
        "schema_version": 1,
        "name": "tiny",
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
        "threshold": 0.5,
        "max_tokens": 4,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))
    return folder


def test_probabilities_in_batches_of_any_length(tmp_path: Path) -> None:
    classifier = OnnxClassifier(write_model(tmp_path / "m"))
    assert classifier.unsafe(["nice", "so vile nice"]) == pytest.approx([0.2, 0.9])
    assert classifier.unsafe(["unheard"]) == pytest.approx([0.1])
    assert classifier.threshold == 0.5


def test_of_a_long_text_the_end_is_read(tmp_path: Path) -> None:
    classifier = OnnxClassifier(write_model(tmp_path / "m"))
    assert classifier.unsafe(["vile nice nice nice nice"]) == pytest.approx([0.2])
    assert classifier.unsafe(["nice nice nice nice vile"]) == pytest.approx([0.9])


def test_many_threads_at_once(tmp_path: Path) -> None:
    classifier = OnnxClassifier(write_model(tmp_path / "m"))
    texts = ["nice", "vile"] * 100
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda text: classifier.unsafe([text])[0], texts))
    assert got == pytest.approx([0.2, 0.9] * 100)


def test_the_filter_asks_it_after_the_rules(tmp_path: Path) -> None:
    policy = load_filter(model=str(write_model(tmp_path / "m")))
    assert policy.check("a vile place").reason == "classifier"
    assert policy.check("a nice place").safe
    assert policy.check("a vile faggot").reason == "slur"


def test_at_the_threshold_a_text_is_refused(tmp_path: Path) -> None:
    scores = (0.0, 0.25, 0.5)
    policy = load_filter(model=str(write_model(tmp_path / "m", graph(scores), threshold=0.5)))
    assert [policy.check(word).safe for word in ("nice", "vile")] == [True, False]


@pytest.mark.parametrize("score", [float("nan"), -0.1, 1.1])
def test_what_is_no_probability_is_a_fault(tmp_path: Path, score: float) -> None:
    folder = write_model(tmp_path / "m", graph((score, score, score)))
    with pytest.raises(ValueError, match="probability"):
        OnnxClassifier(folder).unsafe(["nice"])
    verdict = load_filter(model=str(folder)).check("nice 12345678")
    assert verdict.safe and verdict.fault and verdict.held == 2


SHA = "0" * 64


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"schema_version": 2}, "manifest.json"),
        ({"surprise": 1}, "manifest.json"),
        ({"threshold": 0}, "manifest.json"),
        ({"threshold": 1.5}, "manifest.json"),
        ({"max_tokens": 0}, "manifest.json"),
        ({"max_tokens": 513}, "manifest.json"),
        ({"files": {"model.onnx": SHA}}, "files"),
        ({"files": {"model.onnx": SHA, "../x": SHA}}, "files"),
        ({"files": {"model.onnx": "?", "tokenizer.json": SHA}}, "manifest.json"),
        ({"files": {"model.onnx": SHA, "tokenizer.json": SHA}}, "SHA-256"),
    ],
)
def test_a_bad_manifest_is_refused(tmp_path: Path, changes: dict[str, object], why: str) -> None:
    with pytest.raises(SkynetError) as caught:
        OnnxClassifier(write_model(tmp_path / "m", **changes))
    assert caught.value.code == "bad_policy_model"
    assert why in caught.value.message
    assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize("name", ["manifest.json", "model.onnx", "tokenizer.json"])
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    folder = write_model(tmp_path / "m")
    (folder / name).unlink()
    with pytest.raises(SkynetError, match=name):
        OnnxClassifier(folder)


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    (folder / "tokenizer.json").write_bytes(words() + b" ")
    with pytest.raises(SkynetError, match=r"tokenizer\.json does not match"):
        OnnxClassifier(folder)


def test_other_tensors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SkynetError, match="toxic"):
        OnnxClassifier(write_model(tmp_path / "m", graph(output="toxic")))


class Trap:
    """Unpickling this would create a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.file,)


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    """Even with the right hash."""
    trap = tmp_path / "opened"
    with pytest.raises(SkynetError, match="cannot be loaded"):
        OnnxClassifier(write_model(tmp_path / "m", pickle.dumps(Trap(trap))))
    assert not trap.exists()

# SPDX-License-Identifier: Apache-2.0
"""Token attributions: additive, exact where the library promises it, sorted, repeatable."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bls.brain.context.encoder import ContextEncoder
from bls.errors import SkynetError
from bls.explain.explain import TOP, Explain
from bls.explain.request import ExplainRequest
from bls.explain.shapley import attribute
from bls.explain.value_model import ValueModel
from bls.limits import LIMITS
from bls.models.pointer import FolderPointer
from export.errors import ExportError


def load(folder: Path) -> ValueModel:
    target = FolderPointer(folder)()
    assert target is not None
    return ValueModel(target)


ASK = ExplainRequest(context="A weekend by the sea", ad="Cheap quiet rooms, sea view for cheap")


@pytest.fixture(scope="module")
def model(tiny: Path) -> ValueModel:
    return load(tiny)


@pytest.fixture(scope="module")
def explain(encoder: ContextEncoder, model: ValueModel) -> Explain:
    return Explain(encoder, lambda: model)


def exact(value_of: Callable[[np.ndarray], np.ndarray], count: int) -> np.ndarray:
    """Shapley values by their definition: over all subsets."""
    values = np.zeros(count)
    for token in range(count):
        others = [other for other in range(count) if other != token]
        for size in range(count):
            share = math.factorial(size) * math.factorial(count - 1 - size) / math.factorial(count)
            for subset in itertools.combinations(others, size):
                without = np.isin(np.arange(count), subset)
                having = without | (np.arange(count) == token)
                low, high = value_of(np.stack([without, having]))
                values[token] += share * (high - low)
    return values


def value_of(model: ValueModel, ad: str) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    tokens = model.tokens(ad)
    ctx_vec = np.zeros(128, np.float32)

    def value(shown: np.ndarray) -> np.ndarray:
        return model.curves(ctx_vec, tokens, shown)[:, 0].astype(np.float64)

    return value, len(tokens.texts)


def test_exact_where_tokens_interact_in_pairs(model: ValueModel) -> None:
    value, count = value_of(model, "cheap quiet rooms sea pool")
    found = attribute(value, count, 2 * count + 1)
    np.testing.assert_allclose(found.values, exact(value, count), atol=1e-4)
    assert found.base == pytest.approx(10)


def test_with_every_token_hidden_the_ad_is_a_full_stop(model: ValueModel) -> None:
    ctx_vec = np.zeros(128, np.float32)
    hidden = model.curves(ctx_vec, model.tokens("cheap rooms"), np.zeros((1, 2), bool))
    stop = model.curves(ctx_vec, model.tokens("."), np.ones((1, 1), bool))
    assert (hidden == stop).all()


@pytest.mark.parametrize("count", [1, 2, 7, 48])
def test_base_and_all_values_add_up_to_the_prediction(model: ValueModel, count: int) -> None:
    words = itertools.cycle(["cheap", "cube_a", "quiet", "cube_b", "view", "cube_c"])
    value, tokens = value_of(model, " ".join(itertools.islice(words, count)))
    assert tokens == count
    found = attribute(value, count, LIMITS.explain_evaluations)
    full = float(value(np.ones((1, count), bool))[0])
    assert found.base + found.values.sum() == pytest.approx(full, rel=1e-5)
    assert found.evaluations <= max(LIMITS.explain_evaluations, 2 * count + 1)


def test_more_walks_come_nearer_where_three_tokens_interact(model: ValueModel) -> None:
    value, count = value_of(model, "cube_a cube_b cube_c quiet")
    want = exact(value, count)
    far, near = (np.abs(attribute(value, count, n).values - want).max() for n in (9, 2000))
    assert near < 0.2 and near <= far


@pytest.mark.spec("TVE-U-06")
def test_at_most_five_tokens_sorted_by_size(explain: Explain) -> None:
    answer = explain(ASK)
    sizes = np.abs(answer["shap"])
    assert len(answer["tokens"]) == len(answer["shap"]) == TOP
    assert (np.diff(sizes) <= 0).all()
    assert answer["tokens"][0] in ("Cheap", "cheap") and answer["shap"][0] > 0
    assert answer["tokens"][2] == "quiet" and answer["shap"][2] < 0
    short = explain(ExplainRequest(context="sea", ad="cheap rooms"))
    assert short["tokens"] == ["cheap", "rooms"] and short["rest"] == pytest.approx(0)


def test_the_answer_adds_up_and_is_repeatable(explain: Explain) -> None:
    answer, again = explain(ASK), explain(ASK)
    total = answer["base_value"] + sum(answer["shap"]) + answer["rest"]
    assert total == pytest.approx(answer["prediction"])
    assert answer["prediction"] == pytest.approx(answer["curve"]["v_max"], rel=1e-5)
    assert answer["curve"]["tokens"] == 8 and answer["curve"]["k_0"] == 4
    timed = {"context_ms", "shap_ms", "cpu_ms"}
    assert {k: v for k, v in answer.items() if k not in timed} == {
        k: v for k, v in again.items() if k not in timed
    }


def test_the_top_token_is_the_one_whose_removal_costs_most(explain: Explain) -> None:
    ad = "quiet rooms sea cheap"
    whole = explain(ExplainRequest(context="sea", ad=ad))
    words = ad.split()
    losses = {}
    for word in words:
        rest = " ".join(other for other in words if other != word)
        told = explain(ExplainRequest(context="sea", ad=rest))
        losses[word] = abs(whole["prediction"] - told["prediction"])
    assert whole["tokens"][0] == max(losses, key=losses.__getitem__)


def test_a_context_without_text_is_refused(explain: Explain) -> None:
    with pytest.raises(SkynetError) as raised:
        explain(ExplainRequest(context="\x00", ad="cheap"))
    assert raised.value.code == "empty_text"


def test_a_long_ad_is_cut_at_48_tokens(explain: Explain) -> None:
    answer = explain(ExplainRequest(context="sea", ad="cheap " * 100))
    assert answer["curve"]["tokens"] == 48
    assert len(set(np.round(answer["shap"], 3))) == 1  # equal tokens have equal parts


def test_a_folder_that_is_not_as_exported_is_refused(tiny: Path, tmp_path: Path) -> None:
    for name in ("manifest.json", "model.onnx"):
        (tmp_path / name).write_bytes((tiny / name).read_bytes())
    with pytest.raises(ExportError) as raised:
        load(tmp_path)
    assert raised.value.code == "model_missing"
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ExportError) as raised:
        load(tmp_path)
    assert raised.value.code == "model_hash_mismatch"


@pytest.mark.parametrize("ad", ["", " \n"])
def test_an_ad_without_tokens_is_refused(model: ValueModel, ad: str) -> None:
    with pytest.raises(SkynetError) as raised:
        model.tokens(ad)
    assert raised.value.code == "empty_ad"

# SPDX-License-Identifier: Apache-2.0
"""The shipped model: its domain, its invariance, its tensors."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bls.brain import features
from bls.contracts import PREDICTOR_GRAPH
from export.bid_predictor.artefact import MODEL_FILE, SHIPPED, verify
from export.bid_predictor.network import SIGMA_HIGH, SIGMA_LOW
from export.bid_predictor.parity import rows_alone, shift_of_sigma
from export.bid_predictor.runtime import OnnxForecaster
from export.bid_predictor.training import sample
from export.bid_predictor.windows import Windows

SLACK = 1e-5


def _in_domain(mixture: np.ndarray) -> None:
    assert np.isfinite(mixture).all()
    sigma, alpha = mixture[:, [1, 3]], mixture[:, 4]
    assert (sigma >= SIGMA_LOW - SLACK).all()
    assert (sigma <= SIGMA_HIGH + SLACK).all()
    assert (alpha >= 0).all()
    assert (alpha <= 1).all()
    assert (mixture[:, 0] <= mixture[:, 2]).all()


@pytest.mark.spec("CBP-U-04")
@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0, 1e6, 1e18])
def test_random_and_absurd_features_give_a_mixture(shipped: OnnxForecaster, scale: float) -> None:
    rng = np.random.default_rng(int(np.log10(scale) + 5))
    _in_domain(shipped.run((scale * rng.standard_normal((512, 150))).astype(np.float32)))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-40, 40), min_size=1, max_size=20), st.integers(0, 4000))
def test_any_history_gives_a_mixture(window: list[float], token: int) -> None:
    model = OnnxForecaster(SHIPPED / MODEL_FILE)
    past = features.pad(window)[None]
    _in_domain(model.run(features.build(np.zeros(128), past, np.array([token]))))


@pytest.mark.spec("CBP-U-07")
def test_sigma_does_not_see_the_level(shipped: OnnxForecaster, windows: Windows) -> None:
    some = sample(windows, 2000, seed=0)
    for by in (2.0, -3.0, 0.1):
        assert shift_of_sigma(shipped, some, by) < 1e-3
    before = shipped.run(features.build(np.zeros(128), some.past, some.token_idx))
    after = shipped.run(features.build(np.zeros(128), some.past + 2, some.token_idx))
    assert np.abs(after[:, [0, 2]] - before[:, [0, 2]] - 2).max() < 1e-4
    assert np.abs(after[:, 4] - before[:, 4]).max() < 1e-4


def test_a_row_does_not_depend_on_the_rows_beside_it(
    shipped: OnnxForecaster, windows: Windows
) -> None:
    assert rows_alone(shipped, windows) < 1e-5


def test_its_tensors_are_the_contracts() -> None:
    manifest = verify(SHIPPED)
    path = SHIPPED / MODEL_FILE
    model = onnx.load(path)
    assert path.stat().st_size < 2_000_000
    assert model.opset_import[0].version >= 17
    for found, stated, tensor in (
        (model.graph.input, manifest.inputs, PREDICTOR_GRAPH.inputs[0]),
        (model.graph.output, manifest.outputs, PREDICTOR_GRAPH.outputs[0]),
    ):
        (only,) = found
        dims = only.type.tensor_type.shape.dim
        assert (only.name, dims[1].dim_value) == (tensor.name, *tensor.dims)
        assert dims[0].dim_param
        assert only.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        assert stated == {tensor.name: f"{tensor.dtype}[-1,{tensor.dims[0]}]"}
    kinds = [one.data_type for one in model.graph.initializer]
    assert kinds.count(onnx.TensorProto.INT8) == 10
    assert (SHIPPED / "MODEL_CARD.md").is_file()

# SPDX-License-Identifier: Apache-2.0
"""The networks: what they learn, and that their graphs say the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from bls.condense.summariser import HS_BART, SELECTION
from export.summariser import graph
from export.summariser.graph import write_graph
from export.summariser.network import END, Dims, Summariser, distinct, reduced, steps
from export.summariser.training import Stage, Windows, kept_share, train_bart, train_selector

DIMS = Dims(width=16, encoder=1, decoder=1, heads=2)
VOCAB = 60


@pytest.fixture
def network() -> Summariser:
    torch.set_num_threads(1)
    torch.manual_seed(3)
    table = np.random.default_rng(3).standard_normal((VOCAB, 32)).astype(np.float32)
    return Summariser(DIMS, reduced(table, DIMS.width)).eval()


@pytest.fixture
def windows() -> Windows:
    """Tokens from 30 on are worth keeping; at most every second one is there."""
    torch.manual_seed(4)
    ids = torch.randint(1, 30, (48, 64))
    ids[:, ::3] = torch.randint(30, VOCAB, ids[:, ::3].shape)
    mask = torch.ones_like(ids)
    mask[0, 40:] = 0
    ids[0, 40:] = 0
    return Windows(ids, mask, (ids >= 30) & mask.bool())


def quiet(text: str) -> None:
    assert "loss" in text


def test_it_learns_what_is_kept(network: Summariser, windows: Windows) -> None:
    train_selector(network, windows, Stage(30, 2e-2, 60.0, batch=8), seed=1, tell=quiet)
    assert kept_share(network, windows) > 0.8
    assert not network.bart.model.shared.weight.requires_grad


def test_hs_bart_learns_with_and_without_a_teacher(network: Summariser, windows: Windows) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    train_bart(network, windows, Stage(3, 1e-3, 60.0, batch=8), seed=1, tell=quiet)
    torch.manual_seed(9)
    table = np.random.default_rng(5).standard_normal((VOCAB, 32)).astype(np.float32)
    teacher = Summariser(DIMS, reduced(table, DIMS.width)).eval()
    kept = {name: value.clone() for name, value in teacher.state_dict().items()}
    stage = Stage(3, 1e-3, 60.0, batch=8)
    train_bart(network, windows, stage, seed=1, tell=quiet, teacher=teacher)
    assert any((value != before[name]).any() for name, value in network.state_dict().items())
    assert all((value == kept[name]).all() for name, value in teacher.state_dict().items())


def test_steps_name_the_first_place_of_each_token(windows: Windows) -> None:
    ids = torch.tensor([[5, 6, 5, 7] + [0] * 60])
    keep = torch.zeros(1, 64, dtype=torch.bool)
    keep[0, [0, 2, 3]] = True
    found = steps(ids, keep, end=99)
    assert found.said[0, :4].tolist() == [99, 5, 5, 7]
    assert found.next[0, :5].tolist() == [0, 0, 3, END, -100]
    assert found.place[0, :4].tolist() == [0, 2, 3, -100]
    counts = distinct(ids, (ids > 0).long())[0]
    assert counts.nonzero().squeeze(1).tolist() == [0, 1, 3, END]


def test_the_graph_of_the_selector_is_the_network(
    network: Summariser, windows: Windows, tmp_path: Path
) -> None:
    write_graph(network, SELECTION, tmp_path / "f32.onnx", int8=False)
    write_graph(network, SELECTION, tmp_path / "int8.onnx")
    asked = {"IDS": windows.ids[:5].numpy(), "MASK": windows.mask[:5].numpy()}
    there = windows.mask[:5].bool().numpy()
    with torch.no_grad():
        states = network.states(windows.ids[:5], windows.mask[:5])
        wanted = network.kept(states).numpy()[there]
    for name, error in (("f32", 1e-4), ("int8", 0.5)):
        running = ort.InferenceSession(str(tmp_path / f"{name}.onnx"))
        assert np.abs(running.run(None, asked)[0][there] - wanted).max() < error


def test_the_unrolled_graph_decodes_as_step_by_step(
    network: Summariser, windows: Windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its KV cache it says what the decoder says that reads all of it again at each step."""
    monkeypatch.setattr(graph, "SUMMARY_TOKENS", 6)
    train_bart(network, windows, Stage(12, 1e-2, 60.0, batch=8), seed=1, tell=quiet)
    write_graph(network, HS_BART, tmp_path / "f32.onnx", int8=False)
    ids, mask = windows.ids[:6], windows.mask[:6]
    running = ort.InferenceSession(str(tmp_path / "f32.onnx"))
    found = running.run(None, {"IDS": ids.numpy(), "MASK": mask.numpy()})[0]
    assert (found == _slowly(network, ids, mask, 6)).all()
    assert len(np.unique(found)) > 2


@torch.no_grad()
def _slowly(network: Summariser, ids: torch.Tensor, mask: torch.Tensor, count: int) -> np.ndarray:
    states = network.states(ids, mask)
    candidates = torch.cat([ids, torch.full_like(ids[:, :1], network.end)], 1)
    said = torch.full((len(ids), 1), network.end)
    places: list[torch.Tensor] = []
    for _ in range(count):
        logits, _ = network.logits(states, ids, mask, said)
        place = logits[:, -1].argmax(-1)
        if places:
            place = torch.where(places[-1] == END, torch.full_like(place, END), place)
        places.append(place)
        said = torch.cat([said, candidates.gather(1, place[:, None])], 1)
    return torch.stack(places, 1).numpy()

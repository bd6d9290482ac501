# SPDX-License-Identifier: Apache-2.0
"""The scorer without a server: its errors, its canary, versions it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bls.errors import SkynetError
from bls.models.model_key import canary_key, model_key
from bls.models.models import chosen
from bls.models.pointer import FolderPointer
from bls.models.served import served_id, served_name
from bls.phantom.scorer import Scorer, Scores
from tests.models.test_models import DIGESTS, Served, sha_of
from tests.phantom.score.stub import write_version


class ServedScore(Served):
    """`Served`, of sessions."""

    subsystem = "agent"

    def make(self, folder: Path, version: str, mark: float) -> Path:
        return write_version(folder, mark, version)

    def serve(self, pointer: FolderPointer, places: Any) -> Any:
        return Scorer(pointer, self.log, self.keys, places)

    def marks(self, digests: np.ndarray = DIGESTS) -> tuple[list[float], list[str]]:
        answer = self.model.answer(*tensors(len(digests)), digests)
        assert isinstance(answer, Scores)
        assert answer.divergence.shape == (len(digests), 2)
        mark = np.round(answer.probability[:, 0].astype(float), 3).tolist()
        return mark, [served_name(int(one)) for one in answer.served[:, 0]]


def tensors(rows: int) -> tuple[np.ndarray, np.ndarray]:
    counts = np.zeros((rows, 15, 14), np.float32)
    counts[:, :3, 2] = 4
    return counts, np.ones((rows, 16), np.float32)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedScore]:
    running = ServedScore(tmp_path)
    yield running
    running.close()


def refusal(answer: Scores | SkynetError) -> tuple[str, int]:
    assert isinstance(answer, SkynetError)
    return answer.code, answer.status


@pytest.mark.spec("PH-08")
def test_keys_say_who_serves_and_a_canary_gets_its_share(served: ServedScore) -> None:
    assert set(served.marks()[0]) == {0.9}, "what shipped, while no key is there"
    first = served.version("first", 0.25)
    served.name(model_key("agent"), first)
    assert set(served.marks()[0]) == {0.25}
    second = served.version("second", 0.5)
    served.name(canary_key("agent"), second, 0.4)
    own = chosen(DIGESTS, 0.4).tolist()
    marks, names = served.marks()
    assert marks == [0.5 if mine else 0.25 for mine in own]
    wanted = [served_name(served_id(sha_of(second if mine else first))) for mine in own]
    assert names == wanted
    assert set(served.marks(DIGESTS[chosen(DIGESTS, 0.4)])[0]) == {0.5}
    served.name(canary_key("agent"), second, 0.0)
    assert set(served.marks()[0]) == {0.25}


@pytest.mark.spec("PH-13")
def test_a_bad_version_changes_nothing(served: ServedScore) -> None:
    first = served.version("first", 0.25)
    served.name(model_key("agent"), first)
    served.name(model_key("agent"), served.version("second", 0.5), sha256="0" * 64)
    spoilt = served.version("third", 0.5)
    (spoilt / "model.onnx").write_bytes(b"spoilt")
    served.name(canary_key("agent"), spoilt, 0.5)
    assert set(served.marks()[0]) == {0.25}
    assert served.model.models.stats.fallbacks, "the champion answers in the canary's place"
    codes = {dict(labels)["code"] for labels in served.model.models.champion.stats.failures}
    assert "model_hash_mismatch" in codes
    assert served.model.stats.alerts


@pytest.mark.spec("PH-13")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("which", [0, 1])
def test_tensors_that_are_no_session_are_refused(
    served: ServedScore, bad: float, which: int
) -> None:
    asked = tensors(3)
    asked[which][1].flat[5] = bad
    answer = served.model.answer(*asked)
    if which == 1 and bad == -1.0:
        assert isinstance(answer, Scores), "a statistic may be below 0"
        return
    assert refusal(answer) == ("bad_session", 400)
    assert isinstance(served.model.answer(*tensors(3)), Scores)
    assert sum(served.model.stats.errors.values()) == 1


@pytest.mark.spec("PH-13")
@pytest.mark.parametrize("layout", [0, 99])
def test_another_feature_layout_is_not_served(tmp_path: Path, layout: int) -> None:
    scorer = Scorer(FolderPointer(write_version(tmp_path / "one", layout=layout)))
    scorer.models.champion.poll()
    assert refusal(scorer.answer(*tensors(1))) == ("model_missing", 503)


def test_without_any_version_every_request_is_an_error(tmp_path: Path) -> None:
    scorer = Scorer(FolderPointer(tmp_path))
    scorer.models.champion.poll()
    assert refusal(scorer.answer(*tensors(2))) == ("model_missing", 503)
    assert scorer.stats.requests == 1


class _Broken:
    """A version that fails, or answers with what is no score."""

    sha256 = "f" * 64

    def __init__(self, probability: float | None) -> None:
        self._probability = probability

    def run(self, tensors: dict[str, np.ndarray]) -> list[np.ndarray]:
        if self._probability is None:
            raise RuntimeError("graph details")
        rows = len(tensors["STATS"])
        value = np.full((rows, 1), self._probability, np.float32)
        return [value, np.zeros((rows, 2), np.float32)]


@pytest.mark.parametrize("broken", [None, 1.5, -0.1, np.nan])
def test_a_score_outside_its_bounds_is_never_given(
    served: ServedScore, broken: float | None
) -> None:
    served.name(model_key("agent"), served.version("first", 0.25))
    second = served.version("second", 0.5)
    served.name(canary_key("agent"), second, 0.4)
    canary, champion = served.model.models._canary, served.model.models.champion
    failing = _Broken(broken)
    failing.sha256 = sha_of(second)
    canary._model = failing
    assert set(served.marks()[0]) == {0.25}, "the champion answers in its place"
    champion._model = failing
    assert refusal(served.model.answer(*tensors(2))) == ("bad_score", 500)

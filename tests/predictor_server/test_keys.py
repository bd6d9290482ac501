# SPDX-License-Identifier: Apache-2.0
"""`bid_predictor` in the real server, its keys in a real etcd: champion, canary, a bad version."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest

from bls.brain.features import build
from bls.contracts import CTX
from bls.models.model_key import canary_key, model_key
from bls.models.models import chosen
from bls.models.served import served_id
from bls.reply.draw import CONVERSATION, conversation
from tests.keys.etcd_server import EtcdServer
from tests.models.stub import write_version
from tests.one_model import ModelServer, one_model, sha256_of

BIAS = (0.0, 0.2, 0.5, 0.4)
DIGESTS = np.array([conversation(f"c{number}") for number in range(60)], np.uint64)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    folder = tmp_path_factory.mktemp("keys")
    etcd = EtcdServer(folder)
    etcd.start()
    with one_model("bid_predictor", folder, keys=etcd.url) as running:
        yield running
    etcd.stop()


def ask(server: ModelServer) -> tuple[list[float], list[int]]:
    """Of each conversation: alpha, which the version decides, and the version."""
    rng = np.random.default_rng(0)
    features = build(rng.normal(size=CTX), rng.normal(size=(60, 15)), np.full(60, 3))
    draw = np.zeros((60, 4), np.uint64)
    draw[:, CONVERSATION] = DIGESTS
    found = server.infer(server.client(), FEATURES=features, DRAW=draw)
    alpha = np.round(found["MIXTURE"][:, 4].astype(float), 3)
    return alpha.tolist(), found["SERVED"][:, 0].tolist()


@pytest.mark.spec("ORC-C-04")
@pytest.mark.spec("ORC-U-03")
def test_keys_in_etcd_decide_who_serves(server: ModelServer) -> None:
    shipped = ask(server)[1][0]
    first = write_version(server.models / "pred" / "first", (*BIAS, 0.25), "1")
    server.publish(model_key("pred"), first)
    began = time.monotonic()
    server.until(lambda: set(ask(server)[0]) == {0.25})
    print(f"key in etcd to answers: {time.monotonic() - began:.2f} s")
    assert time.monotonic() - began <= 5
    assert set(ask(server)[1]) == {served_id(sha256_of(first))} != {shipped}

    second = write_version(server.models / "pred" / "second", (*BIAS, 0.5), "2")
    server.publish(canary_key("pred"), second, 0.4)
    own = chosen(DIGESTS, 0.4).tolist()
    server.until(lambda: ask(server)[0] == [0.5 if mine else 0.25 for mine in own])
    server.until(lambda: server.series("orch_pred_canary_rows_total").get("", 0) > 0)
    assert server.series("orch_pred_canary_share") == {"": 0.4}

    server.publish(model_key("pred"), second, sha256="0" * 64)
    code = 'code="model_hash_mismatch"'
    server.until(lambda: server.series("cbp_reload_failures_total").get(code))
    assert ask(server)[0] == [0.5 if mine else 0.25 for mine in own], "nothing changed"
    server.publish(canary_key("pred"), second, 0.0)
    server.until(lambda: set(ask(server)[0]) == {0.25})
    server.publish(model_key("pred"), second)
    server.until(lambda: set(ask(server)[0]) == {0.5})

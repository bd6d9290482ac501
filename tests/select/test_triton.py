# SPDX-License-Identifier: Apache-2.0
"""`select` inside the real Triton server, over a real database, index and key store."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from tritonclient import grpc

from bls.ads.database import open_database
from bls.ads.migrate import migrate
from bls.ads.records import Checked, NewCreative
from bls.ads.store import AdStore
from bls.brain.context import axes, files
from bls.brain.context.encoder import ContextEncoder
from bls.brain.context.live_axes import KEY as AXES_KEY
from bls.brain.context.version import of_files
from bls.errors import SkynetError
from bls.events.from_line import from_line
from bls.events.schema import encode
from bls.models.served import served_id
from bls.select.answer import NOTHING, SelectAnswer
from bls.select.bench.measure import HEAD, latencies
from bls.select.conf import KEY as CONF_KEY
from bls.select.lambdas import KEY as LAMBDA_KEY
from tests.context_encoder.versions import turned, write_axes
from tests.keys.operators import unsigned
from tests.one_model import ModelServer, one_model, sha256_of
from tests.select.world import campaign

ADS = {
    "harbor": "Harbor Hotels: sea view rooms in Lisbon from 90 dollars a night",
    "stride": "Stride: light trail running shoes with a wide toe box",
    "kite": "Kite Meals: fresh dinners for two, delivered every evening",
    "north": "Northline: night trains and cheap flights all over Europe",
}
QUESTION = "I need a hotel by the sea in Lisbon for a weekend"


@dataclass
class Served:
    """The server, its database, and what asks it."""

    server: ModelServer
    store: AdStore
    encoder: ContextEncoder

    def ask(
        self, text: str = QUESTION, number: int = 0, ctx_id: str = "x", **fields: Any
    ) -> SelectAnswer:
        """On the shipped axes, whatever `number` says they are."""
        vectors, served = self.encoder.answer([text], [0])
        return self.on(vectors[0], number or int(served[0]), ctx_id=ctx_id, **fields)

    def on(self, ctx: np.ndarray, number: int, ctx_id: str = "x", **fields: Any) -> SelectAnswer:
        given = {"ctx_id": ctx_id, "conv_id": "conv", "request_id": f"r-{ctx_id}"} | fields
        found = self.server.infer(
            self.server.client(),
            REQUEST=np.array([json.dumps(given).encode()], object),
            CTX=ctx,
            AXES=np.array([number], np.uint64),
        )
        return SelectAnswer.model_validate_json(found["CHOSEN"][0])

    def names(self, text: str = QUESTION, **fields: Any) -> list[str]:
        return [one.msg_id for one in self.ask(text, **fields).chosen]

    def refusal(self, **fields: Any) -> SkynetError:
        with pytest.raises(grpc.InferenceServerException) as raised:
            self.ask(**fields)
        return SkynetError.from_wire(raised.value.message())

    def put(self, key: str, value: dict[str, Any]) -> int:
        version = self.server.store.newest(key) + 1
        self.server.store.put(unsigned(version, value, key))
        return version


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("select")
    engine = open_database(f"sqlite:///{folder}/state/skynet.db")
    migrate(engine)
    store = AdStore(engine)
    for name in ADS:
        store.put_campaign(campaign(name, name))
    store.put_creatives(
        [NewCreative(f"ad_{name}", name, text, Checked.OK) for name, text in ADS.items()]
    )
    with one_model("select", folder) as server:
        made = Served(server, store, ContextEncoder())
        made.put(CONF_KEY, {"epsilon": 0.0, "sim_min": 0.2})
        server.until(lambda: "ad_harbor" in made.names())
        yield made
    engine.dispose()


def test_the_nearest_that_may_be_shown_with_its_campaign(served: Served) -> None:
    answer = served.ask(ctx_id="first", request_id="req-first")
    best = answer.chosen[0]
    assert (best.msg_id, best.advertiser, best.text) == ("ad_harbor", "harbor", ADS["harbor"])
    assert best.rate_micros == 101_000 and best.version == 1 and not best.explored
    assert "ad_stride" not in [one.msg_id for one in answer.chosen], "under the floor"
    assert served.names("What is the square root of two?") == []
    assert served.names(excluded=("*",)) == []


def test_every_choice_that_got_a_row_is_a_line_of_its_topic(served: Served) -> None:
    asked = served.ask(ctx_id="told", request_id="req-told")
    served.ask(ctx_id="dry", request_id="req-dry")
    for _ in range(2):
        shown = [asked.chosen[0].msg_id]
        assert served.ask(ctx_id="told", request_id="req-told", shown=shown) == NOTHING
    path = served.server.logs / "mro.select"
    served.server.until(lambda: path.exists() and b"req-told" in path.read_bytes())
    events = [from_line("mro.select", line, "s", n) for n, line in enumerate(path.open("rb"))]
    mine = [event for event in events if event["request_id"] == "req-told"]
    assert [(one["msg_id"], one["rank"]) for one in mine] == [("ad_harbor", 0)]
    assert mine[0]["event_id"] == "conv:req-told:harbor:0"
    assert all(encode("mro.select", event) for event in mine)
    assert not any(event["request_id"] == "req-dry" for event in events)


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"k": 0}, "invalid_value"), ({"more": 1}, "unknown_field"), ({"number": 5}, "axes_mismatch")],
)
def test_refusals_are_typed(served: Served, fields: dict[str, Any], code: str) -> None:
    assert served.refusal(**fields).code == code


@pytest.mark.spec("MRO-C-05")
def test_lambda_is_replaced_while_requests_run(served: Served) -> None:
    done, faults, played = threading.Event(), [], set()

    def ask() -> None:
        number = 0
        while not done.is_set():
            number += 1
            try:
                answer = served.ask(ctx_id=f"live-{number}")
                played.add((answer.lambda_version, answer.lambda_sem))
            except Exception as fault:
                faults.append(fault)

    thread = threading.Thread(target=ask)
    thread.start()
    version = served.put(LAMBDA_KEY, {"lambda_sem": 0.6, "lambda_val": 0.4})
    served.server.until(lambda: (version, 0.6) in played)
    served.put(LAMBDA_KEY, {"lambda_sem": 0.7, "lambda_val": 0.25})
    served.server.until(lambda: served.server.series("mro_lambda_refused_total"))
    done.set()
    thread.join()
    assert not faults
    assert served.ask().lambda_version == version
    assert (served.server.logs / "mro.lambda.error").read_text().count("must be 1") == 1


@pytest.mark.spec("MRO-I-06")
def test_a_new_creative_is_found_within_seconds_and_a_deleted_one_is_gone(served: Served) -> None:
    text = "Casa Lisboa: a small hotel by the sea in Lisbon, breakfast included"
    served.store.put_campaign(campaign("casa", "casa", cpc_micros=900_000))
    served.store.put_creatives([NewCreative("ad_casa", "casa", text, Checked.OK)])
    served.server.until(lambda: "ad_casa" in served.names())
    served.store.delete_creative("ad_casa")
    served.server.until(lambda: "ad_casa" not in served.names())


@pytest.mark.spec("MRO-C-02")
def test_round_trips_are_measured(served: Served) -> None:
    """`python -m bls.select.bench` does it with as many creatives as one likes."""
    contexts = served.encoder.encode([QUESTION, "Running shoes"])
    shipped = of_files(files.load())
    found = latencies(served.server.stack.triton_address, contexts, shipped, 2, 30)
    assert (found.callers, found.requests) == (2, 60) and found.per_s > 0
    assert 0 < found.p50_ms <= found.p95_ms <= found.p99_ms
    assert len(str(found)) == len(HEAD)


def test_series_are_shown(served: Served) -> None:
    server = served.server
    server.until(lambda: server.series("mro_selects_total").get("", 0) > 3)
    assert server.series("mro_select_latency_seconds_bucket")
    assert server.series("mro_index_creatives") and server.series("mro_conf_selector_version")
    assert server.series("mro_selfsim_max")[""] < 1e-6


def test_new_axes_get_an_index_of_their_own(served: Served) -> None:
    """Last in this file. Until it is there, callers are told which axes to encode with."""
    server = served.server
    folder = write_axes(server.models / "axes" / "axes_1", 1)
    fresh = served_id(sha256_of(folder))
    before = served.ask().axes
    assert served.refusal(number=fresh).param == str(before)
    server.publish(AXES_KEY, folder)
    ctx = axes.project(turned(1), served.encoder.embedding(QUESTION))

    def there() -> bool:
        try:
            return bool(served.on(ctx, fresh).chosen)
        except grpc.InferenceServerException as fault:
            assert SkynetError.from_wire(fault.message()).code == "axes_mismatch"
            return False

    server.until(there)
    answer = served.on(ctx, fresh)
    assert answer.axes == fresh and answer.chosen[0].msg_id == "ad_harbor"
    assert served.ask().axes == before, "the one before is held too"

# SPDX-License-Identifier: Apache-2.0
"""The `remote` object of a campaign: what an operator may write, and what is refused at load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bls.bidding import chosen_seats, requested_seats
from bls.campaigns import Campaigns, load_campaigns
from bls.errors import SkynetError
from bls.remote.bidder import bidders_of
from bls.remote.vocabulary import Vocabulary
from bls.request import AuctionOptions, Message
from bls.select.answer import Chosen
from export.llm.tiny import ensure_tiny_llm

HASH = "ab" * 32
REMOTE = {"target": "127.0.0.1:7070", "vocabulary": HASH}


def campaign(name: str, **fields: Any) -> dict[str, Any]:
    return {"advertiser": name, "brand": name, "bid": 1.5, "keywords": ["trip"], **fields}


def write(folder: Path, *campaigns: dict[str, Any]) -> Campaigns:
    file = folder / "campaigns.json"
    file.write_text(json.dumps({"micros_per_weight": 1_000, "campaigns": campaigns}))
    return load_campaigns(str(file))


def chosen_creative(advertiser: str, text: str) -> Chosen:
    return Chosen(
        rank=0, msg_id="m", version=1, campaign_id="c", advertiser=advertiser, brand="B",
        category="general", text=text, sim=0.9, val=0.5, score=0.8, explored=False, bid=1.5,
        rate_micros=0,
    )  # fmt: skip


@pytest.fixture
def mixed(tmp_path: Path) -> Campaigns:
    return write(
        tmp_path,
        campaign("far_a", remote=REMOTE),
        campaign("near", creative="Buy."),
        campaign("far_b", remote=REMOTE | {"top_k": 0, "deadline_ms": 40}),
    )


def test_defaults_and_numbers(mixed: Campaigns) -> None:
    assert [c.advertiser for c in mixed.remotes] == ["far_a", "far_b"]
    assert [mixed.remote_number(c) for c in mixed.campaigns] == [0, None, 1]
    first = mixed.remotes[0].remote
    assert first is not None and (first.deadline_ms, first.top_k, first.tls) == (12, 64, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"target": "127.0.0.1"},
        {"target": "127.0.0.1:0"},
        {"target": "127.0.0.1:65536"},
        {"target": "unix:/tmp/socket"},
        {"target": "http://127.0.0.1:80"},
        {"target": "bidder.example:443"},
        {"target": "10.0.0.7:443"},
        {"target": "localhost.evil.example:443"},
        {"vocabulary": HASH[1:]},
        {"vocabulary": HASH.upper()},
        {"deadline_ms": 0},
        {"deadline_ms": 1_001},
        {"top_k": -1},
        {"top_k": 1_025},
        {"surprise": 1},
        {"tls": {"ca": "ca.pem", "key": "key.pem"}},
    ],
    ids=str,
)
def test_what_a_campaign_file_may_not_say(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(SkynetError) as caught:
        write(tmp_path, campaign("far", remote=REMOTE | changes))
    assert caught.value.code == "bad_campaigns"


@pytest.mark.parametrize("target", ["localhost:1", "127.0.0.1:65535", "[::1]:7070"])
def test_plaintext_on_loopback(tmp_path: Path, target: str) -> None:
    write(tmp_path, campaign("far", remote=REMOTE | {"target": target}))


def test_tls_beyond_loopback(tmp_path: Path) -> None:
    elsewhere = REMOTE | {"target": "bidder.example:443", "tls": {"ca": "nowhere.pem"}}
    campaigns = write(tmp_path, campaign("far", remote=elsewhere))
    model = ensure_tiny_llm(tmp_path)
    ours = Vocabulary.load(model).sha256.hex()
    campaigns = write(tmp_path, campaign("far", remote=elsewhere | {"vocabulary": ours}))
    with pytest.raises(SkynetError, match="TLS file") as caught:
        bidders_of(campaigns, model)
    assert caught.value.code == "bad_campaigns"


@pytest.mark.parametrize("fields", [{}, {"creative": "Buy.", "remote": REMOTE}], ids=str)
def test_either_a_creative_or_a_remote(tmp_path: Path, fields: dict[str, Any]) -> None:
    with pytest.raises(SkynetError, match="either a creative or a remote"):
        write(tmp_path, campaign("a", **fields))


def test_another_vocabulary_is_refused_when_the_model_loads(tmp_path: Path) -> None:
    model = ensure_tiny_llm(tmp_path)
    with pytest.raises(SkynetError, match="vocabulary of 'far'") as caught:
        bidders_of(write(tmp_path, campaign("far", remote=REMOTE)), model)
    assert caught.value.code == "bad_campaigns"


def test_seats_of_remote_bidders_come_last(mixed: Campaigns) -> None:
    hello = (Message(role="user", content="a trip"),)
    near = chosen_creative("near", "Buy.")
    chosen = chosen_seats([near], hello, mixed)
    assert [(s.advertiser, s.remote) for s in chosen] == [
        ("near", None),
        ("far_a", 0),
        ("far_b", 1),
    ]
    asked = AuctionOptions.model_validate_json(
        '{"bidders": [{"advertiser": "far_b", "bid": 0.5}, {"advertiser": "x", "bid": 1,'
        ' "ad_prompt": "Hi"}, {"advertiser": "far_a"}, {"advertiser": "near"}]}'
    )
    seats = requested_seats(asked.bidders or (), mixed)
    assert [(s.advertiser, s.remote) for s in seats] == [
        ("x", None), ("near", None), ("far_b", 1), ("far_a", 0)
    ]  # fmt: skip
    assert [s.bid for s in seats] == [1.0, 1.5, 0.5, 1.5]
    assert [s.ad_prompt for s in seats] == ["Hi", "Buy.", "", ""]


def test_a_request_cannot_give_a_remote_bidder_words(mixed: Campaigns) -> None:
    asked = AuctionOptions.model_validate_json(
        '{"bidders": [{"advertiser": "far_a", "ad_prompt": "Hi"}]}'
    )
    with pytest.raises(SkynetError) as caught:
        requested_seats(asked.bidders or (), mixed)
    assert (caught.value.code, caught.value.status) == ("remote_bidder", 400)

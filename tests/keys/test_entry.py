# SPDX-License-Identifier: Apache-2.0
"""Entries: what their hash and signature cover, and everything that is not one."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bls.keys.entry import Entry, decode, digest
from bls.keys.refusal import Reason, RefusedError
from bls.keys.signing import TrustedKeys
from bls.limits import LIMITS
from tests.keys.operators import KEY, Operator, unsigned

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(value=st.dictionaries(st.text(), _JSON, max_size=4))
def test_an_entry_survives_its_file(value: dict[str, Any]) -> None:
    entry = unsigned(3, value)
    assert decode(entry.encode(), KEY) == entry


def test_the_hash_does_not_depend_on_the_order_of_names() -> None:
    assert digest({"a": 1, "b": 2.5}) == digest({"b": 2.5, "a": 1}) != digest({"a": 1, "b": 2})


@pytest.mark.parametrize(
    "change", [{"version": 4}, {"created": 1}, {"key": "/tve/model"}, {"sha256": "0" * 64}]
)
def test_the_signature_covers_everything_but_itself(
    operator: Operator, change: dict[str, Any]
) -> None:
    entry = operator.entry(3, horizon=4)
    operator.trusted.verify(entry)
    with pytest.raises(RefusedError) as caught:
        operator.trusted.verify(dataclasses.replace(entry, **change))
    assert caught.value.reason is Reason.SIGNATURE


def test_who_signed_must_be_trusted(operator: Operator) -> None:
    entry = Operator().entry(1)
    for trusted in (TrustedKeys(), operator.trusted):
        with pytest.raises(RefusedError) as caught:
            trusted.verify(entry)
        assert caught.value.reason is Reason.UNTRUSTED


@pytest.mark.parametrize("text", ["", "!", "AAAA", "é"])
def test_a_signature_that_is_none(operator: Operator, text: str) -> None:
    entry = dataclasses.replace(operator.entry(1), signature=text)
    with pytest.raises(RefusedError) as caught:
        operator.trusted.verify(entry)
    assert caught.value.reason is (Reason.SIGNATURE if text else Reason.UNSIGNED)


def fields(**changed: Any) -> bytes:
    return json.dumps(dataclasses.asdict(unsigned(1, {"horizon": 4})) | changed).encode()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", Reason.MALFORMED),
        (b"\xff\xfe", Reason.MALFORMED),
        (b"null", Reason.MALFORMED),
        (b"[]", Reason.MALFORMED),
        (b"[" * 60_000, Reason.MALFORMED),
        (b" " * (LIMITS.key_bytes + 1), Reason.TOO_LARGE),
        (fields()[:-9], Reason.MALFORMED),
        (fields().replace(b"4", b"NaN"), Reason.MALFORMED),
        (fields().replace(b"4", b"1e999"), Reason.MALFORMED),
        (fields().replace(b'"version": 1', b'"version": 1, "version": 2'), Reason.MALFORMED),
        (fields(extra=1), Reason.MALFORMED),
        (fields(version="1"), Reason.MALFORMED),
        (fields(version=True), Reason.MALFORMED),
        (fields(version=0), Reason.MALFORMED),
        (fields(version=2**53), Reason.MALFORMED),
        (fields(created=-1), Reason.MALFORMED),
        (fields(value=[1]), Reason.MALFORMED),
        (fields(signature=None), Reason.MALFORMED),
        (fields(key="/tve/model"), Reason.OTHER_KEY),
        (fields(value={"horizon": 5}), Reason.CHECKSUM),
    ],
)
def test_what_is_no_entry(raw: bytes, reason: Reason) -> None:
    with pytest.raises(RefusedError) as caught:
        decode(raw, KEY)
    assert caught.value.reason is reason


def test_values_that_are_not_json() -> None:
    with pytest.raises(ValueError, match="JSON"):
        Entry.of(KEY, 1, 0, {"horizon": float("nan")})

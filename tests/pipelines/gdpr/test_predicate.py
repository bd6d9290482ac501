# SPDX-License-Identifier: Apache-2.0
"""The predicate: this id and no other, whatever is in it."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bls.errors import SkynetError
from pipelines_dagster.defs.gdpr.predicate import Keys, literal, rows, where, words
from pipelines_dagster.defs.gdpr.subject import Kind, Subject, subject_of
from pipelines_dagster.lake.lake import Lake

SCHEMA = pl.Schema({"conv_id": pl.String, "ctx_id": pl.UInt32, "bid": pl.Float64})


@pytest.mark.spec("ORC-U-05")
def test_the_clause_names_the_id_that_was_given(tmp_path: object) -> None:
    assert where(Keys(Subject(Kind.CONV, "abc")), SCHEMA) == "conv_id = 'abc'"
    lake = Lake(f"{tmp_path}")
    lake.append("bronze/auction_bids", pl.DataFrame({"conv_id": ["abc", "abcd", "ab", "Abc", "%"]}))
    told = where(Keys(Subject(Kind.CONV, "abc")), SCHEMA)
    lake.open("bronze/auction_bids").delete(told)  # type: ignore[union-attr]
    left = lake.scan("bronze/auction_bids").collect()["conv_id"].to_list()
    assert sorted(left) == ["%", "Abc", "ab", "abcd"]


@pytest.mark.spec("ORC-U-05")
@given(st.text(max_size=20))
def test_a_literal_ends_where_it_ends(text: str) -> None:
    """Doubled quotes: no text can close the literal that it is in."""
    made = literal(text)
    assert made[0] == made[-1] == "'" and made[1:-1].replace("''", "'") == text
    assert made[1:-1].replace("''", "").count("'") == 0


@pytest.mark.spec("ORC-U-05")
@pytest.mark.parametrize("text", ["x' OR '1'='1", "a b", "", "x;--", "é", "-x", "x" * 129, "x\n"])
def test_what_no_id_is_is_refused(text: str) -> None:
    for kind in Kind:
        with pytest.raises(SkynetError) as caught:
            Subject(kind, text)
        assert (caught.value.code == "bad_subject" and text not in caught.value.message) or not text


def test_one_subject_at_a_time() -> None:
    for given_ids in ({}, {"conv_id": "a", "adv_id": "b"}):
        with pytest.raises(SkynetError) as caught:
            subject_of(**given_ids)
        assert caught.value.code == "one_subject"
    assert subject_of(msg_id="888") == Subject(Kind.MSG, "888")
    assert "abc" not in repr(Subject(Kind.CONV, "abc"))


def test_linked_values_fit_the_column_they_are_compared_with() -> None:
    keys = Keys(Subject(Kind.CONV, "abc"), {"ctx_id": (7, "8"), "conv_id": ("abc:r1",)})
    assert where(keys, SCHEMA) == "conv_id IN ('abc', 'abc:r1') OR ctx_id IN (7, 8)"
    frame = pl.DataFrame({"conv_id": ["abc", "abc:r1", "abc:r2", None], "ctx_id": [1, 2, 3, 8]})
    wanted = rows(keys, frame.schema)
    assert wanted is not None
    assert frame.filter(wanted)["ctx_id"].to_list() == [1, 2, 8]
    assert where(Keys(Subject(Kind.MSG, "1")), SCHEMA) == ""
    assert rows(Keys(Subject(Kind.MSG, "1")), SCHEMA) is None
    text = pl.Schema({"ctx_id": pl.Float64})
    assert where(Keys(Subject(Kind.CTX, "c")), text) == ""


@pytest.mark.parametrize("length", [1, 63, 64, 127])
def test_an_id_in_an_encoded_event(length: int) -> None:
    import io  # noqa: PLC0415

    import fastavro  # noqa: PLC0415

    value = "c" * length
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, {"type": "string"}, value)
    assert words(Subject(Kind.CONV, value))[0] == buffer.getvalue()

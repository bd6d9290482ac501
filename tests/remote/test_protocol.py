# SPDX-License-Identifier: Apache-2.0
"""The committed Python of the protocol, its documented example, and what a vocabulary is called."""

from __future__ import annotations

import hashlib
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models

from bls.remote.generate import OUTPUTS, ROOT, generate
from bls.remote.vocabulary import HASH_BYTES, Vocabulary
from export.llm.tiny import ensure_tiny_llm
from tests.remote.fake_worker import OURS, bidder
from tests.remote.rig import Rig


def test_generating_again_gives_the_same_files(tmp_path: Path) -> None:
    assert generate(tmp_path) == 0
    for name in OUTPUTS:
        assert (tmp_path / name).read_text() == (ROOT / name).read_text(), name


def words(*tokens: str) -> Tokenizer:
    return Tokenizer(models.WordLevel({token: i for i, token in enumerate(tokens)}, tokens[0]))


def test_the_hash_is_of_lengths_and_tokens_in_id_order() -> None:
    raw = b"\1\0\0\0a" + b"\2\0\0\0" + "é".encode() + b"\0\0\0\0"
    assert Vocabulary.of(words("a", "é"), 3) == Vocabulary(3, hashlib.sha256(raw).digest())


@pytest.mark.parametrize(
    "other",
    [(words("b", "a"), 2), (words("ab", ""), 2), (words("a", "b"), 3), (words("a"), 2)],
    ids=["order", "boundaries", "size", "a token less"],
)
def test_other_vocabularies_have_other_names(other: tuple[Tokenizer, int]) -> None:
    assert Vocabulary.of(*other).sha256 != Vocabulary.of(words("a", "b"), 2).sha256


def test_the_vocabulary_of_an_exported_model(tmp_path: Path) -> None:
    found = Vocabulary.load(ensure_tiny_llm(tmp_path))
    assert found.size == 512 and len(found.sha256) == HASH_BYTES


def test_the_bidder_of_the_readme_bids() -> None:
    """The block under "Writing one", run as it stands but for its vocabulary."""
    text = (ROOT / "bls/remote/README.md").read_text()
    (block,) = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(compile(block, "README.md", "exec"), names)
    names["VOCABULARY"] = OURS.sha256
    with socket.create_server(("127.0.0.1", 0)) as free:
        target = f"127.0.0.1:{free.getsockname()[1]}"
    server = names["serve"](target)
    with Rig(bidder("a", target, deadline_ms=1_000)) as rig:
        rows = rig.reply(3)
    server.stop(grace=None).wait(5)
    assert [row[17] for row in rows] == [4.0] * 3 and rows[0].min() == -10.0

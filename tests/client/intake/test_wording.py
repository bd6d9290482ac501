# SPDX-License-Identifier: Apache-2.0
"""Ad texts within the limits of a prompt."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.prompt.template import ChatTemplate
from client.intake.wording import ModelTokens, ad_text, fit
from tests.client.intake.conftest import product


@pytest.fixture(scope="module")
def builder(tokenizer: Tokenizer) -> ChatTemplate:
    return ChatTemplate("", tokenizer)


def test_the_template(tokens: ModelTokens) -> None:
    assert ad_text(product(1), tokens) == (
        "Recommend Harbour Tent 1 by Brightwater (brightwater.example). "
        "Stands in four minutes. Keeps out the rain."
    )
    bare = product(1, title="Brightwater Tent.", website="", description="Brightwater Tent.")
    assert ad_text(bare, tokens) == "Recommend Brightwater Tent."


def test_slots_are_text_and_nothing_else(tokens: ModelTokens) -> None:
    odd = product(1, title="{brand} {0} %s", brand="{title}", description="{website} \\1 $x")
    assert ad_text(odd, tokens) == (
        "Recommend {brand} {0} %s by {title} (brightwater.example). {website} \\1 $x"
    )


def test_a_long_text_ends_with_a_sentence_or_a_word(tokens: ModelTokens) -> None:
    sentences = "It has a window with a view of the sea. " * 30
    assert ad_text(product(1, description=sentences), tokens).endswith("of the sea.")
    words = "window " * 500
    text = ad_text(product(1, description=words), tokens)
    assert text.endswith(" window") and len(text) > 300


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(min_size=1, max_size=3_000))
def test_any_text_fits(tokens: ModelTokens, builder: ChatTemplate, text: str) -> None:
    """As the prompt builder counts."""
    made = fit(text.encode(errors="replace").decode(), tokens)
    assert len(builder.encode(made)) <= LIMITS.ad_prompt_tokens
    assert len(made.encode()) <= LIMITS.creative_text_bytes


def test_the_control_tokens_are_the_served_model_s(
    tokens: ModelTokens, tmp_path: Path, manifest: object
) -> None:
    assert set(manifest.special_tokens) <= set(tokens.special)  # type: ignore[attr-defined]
    with pytest.raises(SkynetError, match="make setup"):
        ModelTokens(tmp_path)

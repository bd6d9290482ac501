# SPDX-License-Identifier: Apache-2.0
"""What is masked, and what is not."""

from __future__ import annotations

import pytest

from bls.condense.masking import mask
from bls.policy.filter import PolicyFilter
from bls.policy.rule_file import load_terms
from bls.policy.rules import Rules


@pytest.mark.spec("CG-I-06")
@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("a table for two", "a table for two"),
        ("what a fucking mess in Rome", "what a *** mess in Rome"),
        ("i will kill you unless Rome", "*** unless Rome"),
        ("F.U.C.K the fuckers, Rome", "*** the *** Rome"),
        ("call 06 555 0199, a@b.org", "call 06 555 0199, a@b.org"),
        ("", ""),
    ],
)
def test_words_and_phrases(rules: PolicyFilter, text: str, masked: str) -> None:
    found, reasons = mask(rules, text)
    assert found == masked
    assert bool(reasons) == (text != masked)


class Everything:
    """A classifier that likes nothing."""

    threshold = 0.5

    def unsafe(self, texts: list[str]) -> list[float]:
        return [1.0] * len(texts)


def test_what_only_the_classifier_refuses_is_left_out_whole() -> None:
    policy = PolicyFilter(Rules(load_terms("")), Everything())
    text, reasons = mask(policy, "a table for two")
    assert text == "" and sum(reasons.values()) == 1

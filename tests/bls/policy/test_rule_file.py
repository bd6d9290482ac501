# SPDX-License-Identifier: Apache-2.0
"""Rules files: the syntax of a line, an operator's own file, and refusals that say why."""

from __future__ import annotations

from pathlib import Path

import pytest

from bls.errors import SkynetError
from bls.policy.filter import PolicyFilter, load_filter
from bls.policy.rule_file import BUILT_IN, load_terms, read_rules
from bls.policy.rules import Rules


@pytest.fixture
def own(tmp_path: Path) -> PolicyFilter:
    file = tmp_path / "own.toml"
    file.write_text('[rivals]\nterms = ["acme*", "zen", "buy|order from bolt|Nüt*", ". try us"]\n')
    return load_filter(rules=str(file))


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("Acmeland", True),
        ("zen", True),
        ("zenith", False),
        ("order from bolt", True),
        ("order, from nutter", True),
        ("order from boltzmann", False),
        ("order. From bolt", False),
        ("order from", False),
        ("Try us", True),
        ("Well: try us", True),
        ("do try us", False),
        ("faggot", True),
    ],
)
def test_an_operators_rules_stand_beside_the_built_in(
    own: PolicyFilter, text: str, refused: bool
) -> None:
    assert own.check(text, final=True).safe is not refused


def test_the_group_is_the_reason(own: PolicyFilter) -> None:
    assert own.check("ACME").reason == "rivals"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("[a", "not TOML"),
        ("[a]\nterms = []", "a.terms"),
        ("[a]\nterms = ['x']\nwords = ['x']", "a.words"),
        ("[a]\nterms = [1]", "a.terms.0"),
        ("['Bad Name']\nterms = ['x']", "Bad Name"),
        ("[a]\nterms = ['']", "a: an empty rule"),
        ("[a]\nterms = ['.']", "a: an empty rule"),
        ("[a]\nterms = ['two-words']", "'two-words' is not a word"),
        ("[a]\nterms = ['a|']", "'' is not a word"),
        ("[a]\nterms = ['ab*']", "expected 3 to 32 letters"),
        ("[a]\nterms = ['goes* away']", "cannot end with *"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, content: str, why: str) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(content)
    with pytest.raises(SkynetError) as caught:
        load_terms(str(file))
    assert caught.value.code == "bad_policy_rules"
    assert why in caught.value.message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SkynetError, match="cannot be read"):
        load_terms(str(tmp_path / "none.toml"))
    (tmp_path / "latin1.toml").write_bytes(b"[a]\nterms = ['\xff']")
    with pytest.raises(SkynetError, match="not TOML"):
        load_terms(str(tmp_path / "latin1.toml"))


def test_every_built_in_rule_catches_itself() -> None:
    """Each line, written out with its first alternatives, is refused for its group's reason or a
    stronger word in it."""
    rules = Rules(load_terms())
    for rule in read_rules(BUILT_IN):
        words = [min([*piece.spellings, *piece.begins]) for piece in rule.pieces]
        assert not rules.check(" ".join(words), final=True).safe, words

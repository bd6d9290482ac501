# SPDX-License-Identifier: Apache-2.0
"""Rules first, then the classifier: one verdict on one text."""

from __future__ import annotations

from pathlib import Path

from bls.policy.classifier import Classifier
from bls.policy.onnx_classifier import OnnxClassifier
from bls.policy.rule_file import load_terms
from bls.policy.rules import Rules
from bls.policy.verdict import Verdict

CLASSIFIER = "classifier"
_NOBODY: frozenset[str] = frozenset()


class PolicyFilter:
    """Shared by all replies of a process; holds no state of any."""

    def __init__(self, rules: Rules, classifier: Classifier | None = None) -> None:
        self._rules = rules
        self._classifier = classifier

    def check(
        self,
        window_text: str,
        since: int = 0,
        final: bool = False,
        allowed: frozenset[str] = _NOBODY,
    ) -> Verdict:
        """Judge a text; arguments as of `Rules.check`. The classifier reads all of it.

        A classifier that raises leaves the rules' verdict standing, marked `fault`.
        """
        verdict = self._rules.check(window_text, since, final, allowed)
        if not verdict.safe or self._classifier is None or not window_text.strip():
            return verdict
        try:
            (probability,) = self._classifier.unsafe([window_text])
        except Exception:  # whatever a model raises: replies go on under the rules
            return Verdict(held=verdict.held, fault=True)
        return Verdict(CLASSIFIER) if probability >= self._classifier.threshold else verdict


def load_filter(model: str = "", rules: str = "") -> PolicyFilter:
    """The filter of settings `policy_model` and `policy_rules`; both may be empty.

    Raises `bad_policy_model` or `bad_policy_rules`: a filter that was asked for and cannot be had
    keeps the server from starting.
    """
    classifier = OnnxClassifier(Path(model)) if model else None
    return PolicyFilter(Rules(load_terms(rules)), classifier)

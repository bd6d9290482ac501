# SPDX-License-Identifier: Apache-2.0
"""The guard: rules, then the classifier, one ruling a text.

A classifier that fails leaves the rules' ruling for a user's text and for a reply; an ad that
nobody could judge is blocked. Rulings are remembered by a salted hash of the text.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from bls.contracts import Use, Verdict
from bls.errors import SkynetError, invalid
from bls.guard.normal import normal
from bls.guard.rules import TOXIC, built_in_rules
from bls.guard.ruling import UNJUDGED, Ruling
from bls.guard.stats import GuardStats
from bls.guard.thresholds import thresholds_of
from bls.limits import LIMITS
from bls.policy.onnx_classifier import OnnxClassifier

WINDOWS = 144
"""Of a longer text the classifier reads the end; about 8,000 tokens. The rules read all of it."""

_REMEMBERED = 16_384
_SETTLED = frozenset({"self_harm", "crisis"})
"""Reasons the classifier cannot make more serious."""


class Guard:
    """Shared by all requests of a process."""

    def __init__(self, folder: Path) -> None:
        """Raises `bad_policy_model` or `bad_policy_rules`."""
        self._rules = built_in_rules()
        self._classifier = OnnxClassifier(folder)
        self._thresholds = thresholds_of(folder)
        self._salt = os.urandom(16)
        self._known: OrderedDict[bytes, Ruling] = OrderedDict()
        self._lock = threading.Lock()
        self.stats = GuardStats()

    def judge(self, texts: Sequence[str], use: Use) -> list[Ruling]:
        """One ruling a text, in order. Raises `too_many_texts` past `LIMITS.guard_texts`."""
        if len(texts) > LIMITS.guard_texts:
            most = LIMITS.guard_texts
            raise invalid("too_many_texts", f"At most {most} texts can be judged at once.")
        return [self._remembered(text, use) for text in texts]

    def warm_up(self) -> None:
        """Have the classifier allocate what it needs: the first text is as fast as the others."""
        self._score("A text of a few words, to begin with.")

    def _remembered(self, text: str, use: Use) -> Ruling:
        told = text.encode("utf-8", "surrogatepass")
        key = hashlib.blake2b(told, digest_size=16, key=self._salt, person=use.name.encode())
        place = key.digest()
        with self._lock:
            ruling = self._known.get(place)
            if ruling is not None:
                self._known.move_to_end(place)
        if ruling is None:
            ruling, sure = self._judge(text, use)
            if sure:
                self._remember(place, ruling)
        else:
            self.stats.remembered += 1
        self.stats.count(use, ruling)
        return ruling

    def _remember(self, place: bytes, ruling: Ruling) -> None:
        with self._lock:
            self._known[place] = ruling
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def _judge(self, text: str, use: Use) -> tuple[Ruling, bool]:
        """The ruling, and whether it would be the same the next time."""
        ruling = self._rules.judge(text, use)
        if ruling.verdict >= Verdict.FLAGGED or ruling.reason in _SETTLED:
            return ruling, True
        try:
            score = self._score(text)
        except Exception:  # whatever a model raises
            self.stats.faults += 1
            return (Ruling(Verdict.BLOCKED, UNJUDGED) if use is Use.AD else ruling), False
        if score >= self._thresholds[use]:
            verdict = Verdict.FLAGGED if use is Use.USER else Verdict.BLOCKED
            return Ruling(verdict, TOXIC, score), True
        return (Ruling(score=score) if ruling.ok else ruling), True

    def _score(self, text: str) -> float:
        plain = normal(text)
        return max(self._classifier.windows(plain, WINDOWS)) if plain else 0.0


def load_guard(folder: Path) -> Guard:
    """The guard of a `policy_guard` version. Raises `bad_policy_model` or `bad_policy_rules`."""
    try:
        return Guard(folder)
    except OSError:
        raise SkynetError("bad_policy_model", "The guard's folder cannot be read.", 500) from None

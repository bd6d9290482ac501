# SPDX-License-Identifier: Apache-2.0
"""How much of a window its summary says (content_generation 6.2: ROUGE-1 drop <= 0.20).

The window is the reference, so the drop is what is lost of it: 1 - ROUGE-1 recall over its content
words (stop words left out, Porter stems). Half of the tokens cannot hold all words, small ones
included; the plain ROUGE-1 F1 against the whole window is told beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rouge_score.rouge_scorer import RougeScorer

from bls.condense.spelling import content_words


@dataclass(frozen=True)
class Rouge:
    """Means over windows. `drop`: 1 - ROUGE-1 recall of content words; `f1`: of all words."""

    drop: float
    f1: float
    tokens: float


def measure(texts: Sequence[str], summaries: Sequence[str], lengths: Sequence[int]) -> Rouge:
    """`texts` of whole windows, `summaries` of the same, and how many tokens those have."""
    scorer = RougeScorer(["rouge1"], use_stemmer=True)
    drops, f1s = [], []
    for whole, summary in zip(texts, summaries, strict=True):
        wanted, said = " ".join(content_words(whole)), " ".join(content_words(summary))
        if wanted:
            drops.append(1.0 - scorer.score(wanted, said)["rouge1"].recall)
        f1s.append(scorer.score(whole, summary)["rouge1"].fmeasure)
    return Rouge(float(np.mean(drops)), float(np.mean(f1s)), float(np.mean(lengths)))

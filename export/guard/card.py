# SPDX-License-Identifier: Apache-2.0
"""The model card that travels with each version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CARD = "MODEL_CARD.md"

_TEXT = """\
# Classifier of `policy_guard`, {version}

**What it does.** Says how likely a text is abusive: hate speech or offensive language. It reads
the text's normal form (`bls.guard.normal`) in windows of {tokens} byte-pair pieces.

**Made for** flagging users' texts and blocking ads in this product, after the rules of `bls/guard`.
Not for judging people, and not for any decision that nobody can question.

**Network.** {layers} transformer layers of width {width}, int8 weights. Options: `{config}`.

**Data.** Davidson et al. 2017 (tweets: hate, offensive, neither), turns of the Schema-Guided
Dialogue data, prompts and product ads of GEM-Bench; {attacked:.0%} of the training texts rewritten
by attacks. Split by the hash of the normal form, 70 / 15 / 15 %. Seed {seed}, dataset sha256
`{digest}`.

**Held-out figures**, share that is decided wrongly, 95 % interval (Wilson), thresholds from the
calibration part: user {user}, ad {ad}, reply {reply}.

{table}

At a false-alarm rate of 0.1 % over all safe held-out texts the classifier alone misses
{missed:.1%} of unsafe ones. The seed's goal (false alarms 0.1 %, misses 1 %) is {verdict}.

**What it misses.** Hate in polite words, sarcasm, dog whistles; anything not in English; texts
unlike tweets, chats and product ads. The tweets were picked by a word list, so words on that list
weigh much: "neither" tweets that quote them are where the false alarms are, and African American
English is known to be over-flagged by models of this data. It knows nothing of self-harm, fraud,
sexual content or politics: rules cover a part of that (docs/guard.md).
"""


def card(
    version: str,
    metrics: Mapping[str, Any],
    thresholds: Mapping[str, float],
    config: Mapping[str, Any],
    *,
    seed: int,
    digest: str,
) -> str:
    """The text of a version's card."""
    missed = metrics["classifier_at_seeds_fp"]["fn_rate"]
    return _TEXT.format(
        version=version,
        config=dict(config),
        digest=digest,
        seed=seed,
        table=table(metrics),
        missed=missed,
        verdict="met" if missed <= 0.01 else "not met",
        **thresholds,
        **{name: config[name] for name in ("tokens", "layers", "width", "attacked")},
    )


def table(metrics: Mapping[str, Any]) -> str:
    """Markdown: one row a source, use and part of the guard."""
    rows = [
        "| use | part | source | wrong | of | rate | interval |",
        "|---|---|---|---|---|---|---|",
    ]
    for use in ("user", "ad"):
        for part in ("classifier", "rules", "rules_and_classifier"):
            for source, one in metrics[use][part]["wrong_by_source"].items():
                rows.append(
                    f"| {use} | {part.replace('_', ' ')} | {source} | {one['wrong']} | {one['of']} "
                    f"| {one['rate']:.2%} | {one['low']:.2%} - {one['high']:.2%} |"
                )
    return "\n".join(rows)

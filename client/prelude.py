# SPDX-License-Identifier: Apache-2.0
"""What was done before the first token, in one line for people."""

from __future__ import annotations

from typing import Any

_REASONS = {"unjudged": "nobody could judge the texts"}


def prelude_line(told: dict[str, Any], brief: bool) -> str:
    """The `prelude` of a reply's first chunk as a sentence. `brief` leaves out what is as usual:
    then an ordinary reply has an empty line."""
    parts = []
    if told.get("summaries"):
        parts.append(f"{told['windows']} windows of the chat in {told['summaries']} summaries")
    elif told.get("windows"):
        parts.append("the older part of the chat left out")
    if told.get("scrubbed"):
        taken = ", ".join(f"{count} {kind}" for kind, count in sorted(told["scrubbed"].items()))
        parts.append(f"taken out: {taken}")
    if told.get("no_ads"):
        parts.append(f"no ads: {_reason(told['no_ads'])}")
    else:
        parts += [f"{x['advertiser']} left out: {_reason(x['reason'])}" for x in _left_out(told)]
    if not brief:
        parts += [
            f"{x['advertiser']} ({'drawn' if x['explored'] else 'chosen'}, "
            f"similarity {x['sim']:.2f}, value {x['val']:.2f})"
            for x in told.get("selected", ())
        ]
        parts.append(f"{told['ms'].get('total', 0.0):.0f} ms before the prompt")
    return "; ".join(parts)


def _left_out(told: dict[str, Any]) -> list[dict[str, str]]:
    return list(told.get("left_out", ()))


def _reason(word: str) -> str:
    return _REASONS.get(word, word.replace("_", " "))

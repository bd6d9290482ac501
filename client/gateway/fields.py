# SPDX-License-Identifier: Apache-2.0
"""Which fields of OpenAI's chat request are served, ignored at a neutral value, or refused.

A field that would change the reply if we served it is never ignored: at any value but its
neutral one it is refused as `unsupported_value`; a name nobody knows is `unknown_field`.
"""

from __future__ import annotations

from typing import Any, Final

from bls.errors import SkynetError, invalid

SERVED: Final = frozenset(
    {
        "model",
        "messages",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "seed",
        "stop",
        "user",
        "skynet",
    }
)

NEUTRAL: Final[dict[str, tuple[Any, ...]]] = {
    "n": (1,),
    "top_p": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "metadata": ({},),
    "audio": (),
    "prediction": (),
    "reasoning_effort": ("none",),
    "verbosity": ("medium",),
    "web_search_options": (),
    "prompt_cache_key": (),
    "prompt_cache_retention": (),
    "safety_identifier": (),
}


def served_fields(body: dict[str, Any]) -> dict[str, Any]:
    """`body` without nulls and neutral fields. Raises `SkynetError` naming what it refuses."""
    for name in body:
        if name not in SERVED and name not in NEUTRAL:
            raise unknown(name)
    served = {name: value for name, value in body.items() if value is not None}
    for name in served.keys() & NEUTRAL.keys():
        if not is_neutral(served.pop(name), NEUTRAL[name]):
            raise unsupported(name)
    return served


def is_neutral(value: object, neutral: tuple[Any, ...]) -> bool:
    """Equal to one of `neutral`, with True never taken for 1."""
    return any(value == other and _is_bool(value) == _is_bool(other) for other in neutral)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def unknown(param: str) -> SkynetError:
    """A field name nobody knows."""
    return invalid("unknown_field", "This field is not known.", param[:128])


def unsupported(param: str) -> SkynetError:
    """A field we know of, at a value we do not serve."""
    return invalid("unsupported_value", "This field is not supported at this value.", param)

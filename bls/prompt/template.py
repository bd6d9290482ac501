# SPDX-License-Identifier: Apache-2.0
"""A model's chat template, applied so that no message can close it.

The template is rendered with a marker in place of each message's content; the template's own
text is tokenised with special tokens, the contents as plain text. So `<|im_end|>` typed by a
user or an advertiser is ordinary characters, whatever the model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from bls.errors import SkynetError

_MARKER = "\x02{}\x03"
_SPLIT = re.compile("\x02(\\d+)\x03")


@dataclass(frozen=True)
class Turn:
    """A role and its content, as token ids or as text."""

    role: str
    text: str


class ChatTemplate:
    """Renders turns to token ids. Raises `bad_template` when the template refuses them."""

    def __init__(self, source: str, tokenizer: Tokenizer) -> None:
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals["raise_exception"] = _refuse
        self._template = environment.from_string(source)
        self._tokenizer = tokenizer
        self._plain = Tokenizer.from_str(tokenizer.to_str())
        self._plain.encode_special_tokens = True

    def encode(self, text: str) -> list[int]:
        """Plain text: special tokens in it are ordinary characters."""
        return self._encode(text, plain=True)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of plain token ids."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=False)
        return text

    def render(self, turns: Sequence[Turn], reply_header: bool) -> list[int]:
        """Token ids of the turns; with `reply_header`, up to where the assistant begins."""
        messages = [
            {"role": turn.role, "content": _MARKER.format(i)} for i, turn in enumerate(turns)
        ]
        try:
            text = self._template.render(messages=messages, add_generation_prompt=reply_header)
        except TemplateError as error:
            raise SkynetError(
                "bad_template", "The model's chat template refuses these messages.", 400
            ) from error
        ids: list[int] = []
        for position, piece in enumerate(_SPLIT.split(text)):
            if position % 2:
                ids += self._encode(turns[int(piece)].text, plain=True)
            elif piece:
                ids += self._encode(piece, plain=False)
        return ids

    def _encode(self, text: str, plain: bool) -> list[int]:
        tokenizer = self._plain if plain else self._tokenizer
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def _refuse(message: str) -> None:
    raise TemplateError(message)

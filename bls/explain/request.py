# SPDX-License-Identifier: Apache-2.0
"""What is asked of `/v1/explain`: a context and an ad, checked before anything starts."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from bls.limits import LIMITS
from bls.request import Strict


def _says(most: int) -> AfterValidator:
    def check(text: str) -> str:
        if not text.strip():
            raise ValueError("the text is empty")
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise ValueError("the text is not valid Unicode") from error
        if size > most:
            raise ValueError(f"the text exceeds {most} bytes")
        return text

    return AfterValidator(check)


class ExplainRequest(Strict):
    """`context` is what the conversation is about, `ad` the text to be explained."""

    context: Annotated[str, _says(LIMITS.message_bytes)]
    ad: Annotated[str, _says(LIMITS.ad_prompt_bytes)]

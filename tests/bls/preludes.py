# SPDX-License-Identifier: Apache-2.0
"""The prelude of a reply whose chat is short and whose request names its bidders: no stage."""

from __future__ import annotations

import time

from bls.bidding import requested_seats
from bls.prelude.prelude import Prelude
from bls.prompt.rows import PromptBuilder
from bls.prompt.template import ChatTemplate
from bls.reply.reply import ReplyServices
from bls.request import ReplyRequest

_TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def plain(request: ReplyRequest, services: ReplyServices) -> Prelude:
    """Rows in ChatML for the request's own bidders."""
    prompts = PromptBuilder(ChatTemplate(_TEMPLATE, services.tokenizer), ())
    seats = requested_seats(request.auction.bidders or (), services.campaigns)
    prompt = prompts.build(prompts.split(request.messages), seats)
    return Prelude(time.monotonic(), request.messages, seats, prompt)

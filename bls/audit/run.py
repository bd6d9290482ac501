# SPDX-License-Identifier: Apache-2.0
"""A whole audit in this process: the exported model, the real campaigns, the compiled auction."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tokenizers import Tokenizer

from bls.audit.branches import Rows
from bls.audit.chats import AuditedChat, audited_chats
from bls.audit.options import AuditOptions
from bls.audit.replies import Replayer, ReplyGame, Situation
from bls.audit.report import IncentiveReport, argmax_report, reply_report, sampling_report
from bls.audit.sampling import SamplingAudit
from bls.audit.tokens import TokenAudit, probabilities
from bls.campaigns import Campaigns
from bls.errors import SkynetError
from bls.llm.kv_cache import KVCache
from bls.llm.session import LLMSession, SessionOptions
from bls.prompt.rows import PromptBuilder
from bls.prompt.template import ChatTemplate
from kernels_cuda import auction as kernel
from kernels_cuda.auction import Auction

Progress = Callable[[float], None]


class IncentiveAudit:
    """Owns the model while replies are played.

    Args:
        folder: the exported LLM. Raises `backend_missing` when the auction is not built.
    """

    def __init__(
        self, folder: Path, threads: int, campaigns: Campaigns, options: AuditOptions
    ) -> None:
        variants = 1 + options.bidders * (len(options.factors) - 1)
        rows = variants * (options.bidders + 1)
        self._options = options
        self._session = LLMSession(folder, SessionOptions(threads, rows))
        manifest = self._session.manifest
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        template = ChatTemplate(manifest.chat_template, tokenizer)
        prompts = PromptBuilder(template, tuple(manifest.special_tokens))
        self._chats = [
            (chat, prompts.build(prompts.split(chat.messages), chat.seats).rows)
            for chat in audited_chats(campaigns, options)
        ]
        longest = max(len(row) for _, prompt in self._chats for row in prompt)
        self._cache = KVCache(manifest, rows, longest + options.tokens)
        try:
            exact, fast = Auction(kernel.Path.SCALAR), Auction()
        except FileNotFoundError:
            raise SkynetError(
                "backend_missing", "The auction library is not built; run `make setup`.", 500
            ) from None
        self._replayer = Replayer(self._session, options, fast)
        self._tokens = TokenAudit(options, exact)
        self._sampling = SamplingAudit(options, fast)
        self._seen = 0

    def run(self, progress: Progress) -> IncentiveReport:
        """Play every reply; about ten seconds each on two cores."""
        began = time.monotonic()
        games = []
        for number, (chat, prompt) in enumerate(self._chats):
            games.append(self._play(number, chat, prompt, progress))
            progress((number + 1) / len(self._chats))
        return IncentiveReport(
            model=self._session.manifest.name,
            options=self._options,
            tokens=self._seen,
            seconds=round(time.monotonic() - began, 1),
            argmax=argmax_report(self._tokens.figures, self._options),
            sampling=sampling_report(self._sampling.figures, self._options),
            replies=reply_report(games, self._options),
        )

    def _play(self, number: int, chat: AuditedChat, prompt: Rows, progress: Progress) -> ReplyGame:
        def seen(situation: Situation) -> None:
            p = probabilities(situation)
            self._tokens.add(situation, p)
            self._sampling.add(situation, p)
            self._seen += 1
            progress((number + situation.index / self._options.tokens) / len(self._chats))

        return self._replayer.play(chat, number, prompt, self._cache, seen)

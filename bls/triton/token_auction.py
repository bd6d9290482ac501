# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `token_auction`: a decoupled stream per request, exactly one FINAL each.

A request is a reply to write, or new bids for a reply that is being written.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import triton_python_backend_utils as pb_utils
from tokenizers import Tokenizer

from bls.brain.assembly import BrainAssembly
from bls.campaigns import load_campaigns
from bls.errors import SkynetError, capacity, internal
from bls.jsonlog import JsonLog
from bls.limits import LIMITS
from bls.llm.adapter_names import AdapterNames
from bls.policy.filter import load_filter
from bls.prelude import stats as prelude_stats
from bls.prelude.prepare import Preparer
from bls.prompt.rows import PromptBuilder
from bls.prompt.template import ChatTemplate
from bls.reply.draw import DrawKey
from bls.reply.journal import Journal
from bls.reply.live import LiveReplies
from bls.reply.loop import run_reply
from bls.reply.reply import ReplyServices, open_reply
from bls.reply.stats import COUNTERS, GAUGES, ReplyStats
from bls.reply.watchdog import Watchdog
from bls.request import (
    ReplyRequest,
    is_score,
    is_update,
    parse_request,
    parse_score,
    parse_update,
)
from bls.settings import load_settings
from bls.settlement.ledger import Ledger
from bls.tracing import setup_tracing
from bls.triton.decode_step import TritonDecoder
from bls.triton.outbox import Outbox
from bls.triton.stages import TritonStages
from bls.triton.stats_exporter import StatsExporter
from bls.triton.stream_sink import StreamSink, send_update
from bls.triton.valuer import TritonValuer
from export.manifest import LLMManifest

_SWITCH_S = 0.0002
"""A reply that has its next token waits no longer than this for another thread's Python."""

_FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL


class TokenAuction:
    """Shared services are built once; every reply is one `run_reply`."""

    def initialize(self, args: dict[str, str]) -> None:
        sys.setswitchinterval(_SWITCH_S)
        settings = load_settings()
        folder = settings.llm_folder()
        manifest = LLMManifest.load(folder, verify=False)  # llm_step checks the weights' hashes
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        template = ChatTemplate(manifest.chat_template, tokenizer)
        campaigns = load_campaigns(settings.campaigns)
        self._log = JsonLog(settings.logs, settings.limits.log_queue)
        self._ledger = Ledger(settings.logs, self._fault, settings.limits)
        self._brain = BrainAssembly(settings, campaigns, TritonValuer(), self._log, self._fault)
        self._services = ReplyServices(
            model=manifest.name,
            eos_ids=frozenset(manifest.eos_ids),
            tokenizer=tokenizer,
            campaigns=campaigns,
            policy=load_filter(settings.policy_model, settings.policy_rules),
            brain=self._brain.services,
        )
        prompts = PromptBuilder(template, tuple(manifest.special_tokens))
        self._preparer = Preparer(TritonStages(), prompts, campaigns)
        self._adapters = AdapterNames(settings, self._log)
        self._stats = ReplyStats()
        tracer = setup_tracing(settings.traces, "token_auction")
        self._journal = Journal(self._log, self._ledger, self._stats, tracer)
        series = [
            (self._stats, COUNTERS, GAUGES),
            (self._preparer.stats, prelude_stats.COUNTERS, {}),
            *self._brain.series,
        ]
        self._exporters = [StatsExporter(*each, pb_utils) for each in series]
        for exporter in self._exporters:
            exporter.start()
        self._outbox = Outbox(self._fault)
        self._watchdog = Watchdog()
        self._live = LiveReplies()
        self._slots = threading.BoundedSemaphore(LIMITS.streams)
        self._pool = ThreadPoolExecutor(LIMITS.streams, thread_name_prefix="reply")

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> None:
        """Give every reply a thread of its own, as long as there are threads."""
        for request in requests:
            sender = request.get_response_sender()
            tensor = pb_utils.get_input_tensor_by_name(request, "REQUEST").as_numpy()
            raw = bytes(tensor.reshape(-1)[0])
            if is_update(raw):
                self._answer(self._update, raw, sender)
            elif is_score(raw):
                self._answer(self._rescore, raw, sender)
            elif self._slots.acquire(blocking=False):
                self._pool.submit(self._serve, raw, sender)
            else:
                self._outbox.put(partial(_finish, sender, capacity("replies").to_wire()))

    def finalize(self) -> None:
        self._pool.shutdown()
        self._watchdog.close()
        self._outbox.close()
        for exporter in self._exporters:
            exporter.stop()
        self._brain.close()
        self._adapters.close()
        self._ledger.close()
        self._log.close()

    def _serve(self, raw: bytes, sender: pb_utils.InferenceResponseSender) -> None:
        """One reply. Whatever happens, the stream is closed by one FINAL, after the last event."""
        failure = ""  # text, not the exception: its traceback would keep the sender alive
        request_id = ""
        try:
            request = parse_request(raw)
            request_id = request.request_id
            self._reply(request, sender)
        except SkynetError as fault:
            failure = fault.to_wire()
        except Exception as fault:  # ours: logged whole, told to the client as `internal`
            self._fault(fault, request_id)
            failure = internal().to_wire()
        finally:
            self._slots.release()
        self._outbox.put(partial(_finish, sender, failure))

    def _answer(
        self,
        change: Callable[[bytes], dict[str, object]],
        raw: bytes,
        sender: pb_utils.InferenceResponseSender,
    ) -> None:
        """A change of a live reply counts at once; its answer takes its turn in the outbox."""
        try:
            done = change(raw)
        except SkynetError as fault:
            self._outbox.put(partial(_finish, sender, fault.to_wire()))
            return
        self._outbox.put(partial(send_update, sender, done))
        self._outbox.put(partial(_finish, sender, ""))

    def _update(self, raw: bytes) -> dict[str, object]:
        """New bids."""
        update = parse_update(raw)
        applied_from = self._live.update(update.conv_id, update.bids)
        with self._stats.lock:
            self._stats.bid_updates += 1
        return {"conv_id": update.conv_id, "applied_from": applied_from}

    def _rescore(self, raw: bytes) -> dict[str, object]:
        """A newer f(tau) of the reply's shop session."""
        update = parse_score(raw)
        applied_from = self._live.rescore(update.conv_id, update.agent_probability)
        with self._stats.lock:
            self._stats.score_updates += 1
        return {"conv_id": update.conv_id, "applied_from": applied_from}

    def _fault(self, fault: Exception, request_id: str = "") -> None:
        """Log a fault of ours; clients see none of it."""
        error = f"{type(fault).__name__}: {fault}"
        self._log.write("e2e.error", request_id=request_id, error=error)

    def _reply(self, request: ReplyRequest, sender: pb_utils.InferenceResponseSender) -> None:
        conv = secrets.randbits(63)
        draw = DrawKey.of(request)
        salt, health = _salt(request.user), self._brain.services.health
        prelude = self._preparer.prepare(request, salt)
        adapters = self._adapters.of_rows([seat.advertiser for seat in prelude.seats])
        decoder = TritonDecoder(conv, salt, request.temperature, draw, health, adapters=adapters)
        reply = open_reply(request, draw, self._services, decoder, prelude)
        live = self._live.holding(request.conv_id, reply.bidder, reply.score)
        with live, self._journal.reply(reply) as entry:
            run_reply(reply, StreamSink(sender, self._outbox, entry, reply.leave), self._watchdog)


def _finish(sender: pb_utils.InferenceResponseSender, failure: str) -> None:
    """Close the stream: the only place that sends FINAL."""
    if not failure:
        sender.send(flags=_FINAL)
        return
    error = pb_utils.TritonError(failure)
    sender.send(pb_utils.InferenceResponse(error=error), flags=_FINAL)


def _salt(user: str | None) -> int:
    """Prompts are reused only between requests of the same `user` value."""
    digest = hashlib.blake2b((user or "").encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")

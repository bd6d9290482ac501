# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `token_auction`: a decoupled stream per reply, exactly one FINAL each."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import triton_python_backend_utils as pb_utils
from tokenizers import Tokenizer

from bls.campaigns import load_campaigns
from bls.contracts import Flag, Kind
from bls.errors import SkynetError, internal
from bls.jsonlog import JsonLog
from bls.limits import LIMITS
from bls.prompt.rows import PromptBuilder
from bls.prompt.template import ChatTemplate
from bls.reply.journal import Journal
from bls.reply.loop import ReplyServices, TokenEvent, open_reply, run_reply
from bls.reply.stats import COUNTERS, GAUGES, ReplyStats
from bls.request import ReplyRequest, parse_request
from bls.settings import load_settings
from bls.tracing import setup_tracing
from bls.triton.decode_step import TritonDecoder
from bls.triton.stats_exporter import StatsExporter
from export.manifest import LLMManifest

_FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL


class TokenAuction:
    """Shared services are built once; every request is one `run_reply`."""

    def initialize(self, args: dict[str, str]) -> None:
        settings = load_settings()
        folder = settings.llm_folder()
        manifest = LLMManifest.load(folder, verify=False)  # llm_step checks the weights' hashes
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        template = ChatTemplate(manifest.chat_template, tokenizer)
        self._services = ReplyServices(
            model=manifest.name,
            eos_ids=frozenset(manifest.eos_ids),
            tokenizer=tokenizer,
            prompts=PromptBuilder(template, tuple(manifest.special_tokens)),
            campaigns=load_campaigns(settings.campaigns),
        )
        self._log = JsonLog(settings.logs, settings.limits.log_queue)
        self._stats = ReplyStats()
        tracer = setup_tracing(settings.traces, "token_auction")
        self._journal = Journal(self._log, self._stats, tracer)
        self._exporter = StatsExporter(self._stats, COUNTERS, GAUGES, pb_utils)
        self._exporter.start()
        self._executor_set = False

    async def execute(self, requests: list[pb_utils.InferenceRequest]) -> None:
        if not self._executor_set:
            # Each BLS call waits on a thread of the loop's default executor, which has cores + 4.
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(LIMITS.streams * 2))
            self._executor_set = True
        await asyncio.gather(*(self._serve(request) for request in requests))

    def finalize(self) -> None:
        self._exporter.stop()
        self._log.close()

    async def _serve(self, request: pb_utils.InferenceRequest) -> None:
        """One reply. Whatever happens, the stream is closed by one FINAL, after the last event."""
        sender = request.get_response_sender()
        failure = ""  # text, not the exception: its traceback would keep the sender alive
        try:
            raw = pb_utils.get_input_tensor_by_name(request, "REQUEST").as_numpy()
            await self._reply(parse_request(bytes(raw.reshape(-1)[0])), sender)
        except SkynetError as fault:
            failure = fault.to_wire()
        except Exception as fault:  # ours: logged whole, told to the client as `internal`
            self._log.write("e2e.error", error=f"{type(fault).__name__}: {fault}")
            failure = internal().to_wire()
        if not failure:
            sender.send(flags=_FINAL)
        else:
            error = pb_utils.TritonError(failure)
            sender.send(pb_utils.InferenceResponse(error=error), flags=_FINAL)

    async def _reply(
        self, request: ReplyRequest, sender: pb_utils.InferenceResponseSender
    ) -> None:
        conv = secrets.randbits(63)
        decoder = TritonDecoder(conv, _salt(request.user), request.temperature)
        reply = open_reply(request, self._services, decoder)
        with self._journal.reply(reply) as entry:
            await run_reply(reply, _StreamSink(sender, entry))


def _salt(user: str | None) -> int:
    """Prompts are reused only between requests of the same `user` value."""
    digest = hashlib.blake2b((user or "").encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


class _StreamSink:
    """Sends a reply's events as Triton responses and to the journal."""

    def __init__(self, sender: pb_utils.InferenceResponseSender, entry: Journal.Entry) -> None:
        self._sender = sender
        self._entry = entry

    def start(self, header: dict[str, object]) -> None:
        self._send(_integer("KIND", Kind.START), _text("RECEIPT", json.dumps(header)))

    def token(self, event: TokenEvent) -> None:
        self._entry.token(event)
        outcome = event.outcome
        flags: Flag = outcome.flags
        self._send(
            _integer("KIND", Kind.TOKEN),
            _text("TEXT", event.text),
            _integer("INDEX", event.index),
            _integer("TOKEN_ID", outcome.token),
            _integer("WINNER", event.winner),
            _integer("FLAGS", flags),
            pb_utils.Tensor("MARGIN", np.array([outcome.margin], np.float64)),
            pb_utils.Tensor("BID", event.weights),
            pb_utils.Tensor("CHARGE", event.charges),
            pb_utils.Tensor("CRITICAL_BID", outcome.critical_bid),
            pb_utils.Tensor("P_TOKEN", outcome.p_token),
            pb_utils.Tensor("W_MINUS", outcome.w_minus),
            pb_utils.Tensor("ROW_STATUS", outcome.row_status),
        )

    def end(self, finish_reason: str, receipt: dict[str, object]) -> None:
        self._send(
            _integer("KIND", Kind.END),
            _text("FINISH_REASON", finish_reason),
            _text("RECEIPT", json.dumps(receipt)),
        )

    def cancelled(self) -> bool:
        return bool(self._sender.is_cancelled())

    def _send(self, *tensors: pb_utils.Tensor) -> None:
        self._sender.send(pb_utils.InferenceResponse(list(tensors)))


def _integer(name: str, value: int) -> pb_utils.Tensor:
    return pb_utils.Tensor(name, np.array([int(value)], np.int32))


def _text(name: str, value: str) -> pb_utils.Tensor:
    return pb_utils.Tensor(name, np.array([value.encode()], np.object_))

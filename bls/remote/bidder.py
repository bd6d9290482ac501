# SPDX-License-Identifier: Apache-2.0
"""One remote bidder as the exchange sees it: a channel that all its streams share."""

from __future__ import annotations

import secrets
from pathlib import Path

import grpc

from bls.campaigns import Campaigns
from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.remote.breaker import Breaker
from bls.remote.chunk import most_bytes
from bls.remote.endpoint import RemoteEndpoint, RemoteTLS
from bls.remote.remote_bidder_pb2 import Open, Turn
from bls.remote.service import bid_stub
from bls.remote.vocabulary import Vocabulary


class Bidder:
    """`dial` and `close` belong to the exchange's loop.

    Raises `bad_campaigns` when its vocabulary is not ours or its TLS files cannot be read.
    """

    def __init__(self, advertiser: str, endpoint: RemoteEndpoint, vocabulary: Vocabulary) -> None:
        if bytes.fromhex(endpoint.vocabulary) != vocabulary.sha256:
            raise SkynetError(
                "bad_campaigns",
                f"Campaign file: the vocabulary of {advertiser!r} is not that of the model.",
                500,
            )
        self.advertiser = advertiser
        self.endpoint = endpoint
        self.vocabulary = vocabulary
        self.breaker = Breaker()
        self._credentials = _credentials(endpoint.tls) if endpoint.tls else None
        self._channel: grpc.aio.Channel | None = None

    @property
    def deadline_s(self) -> float:
        return self.endpoint.deadline_ms / 1e3

    def opening(self, prompt: tuple[int, ...]) -> Turn:
        """The first turn of a stream; its number says nothing about the reply."""
        return Turn(
            open=Open(
                conversation=secrets.randbits(64),
                vocabulary=self.vocabulary.sha256,
                vocabulary_size=self.vocabulary.size,
                deadline_ms=self.endpoint.deadline_ms,
                top_k=self.endpoint.top_k,
                prompt=prompt,
            )
        )

    def dial(self) -> grpc.aio.StreamStreamCall:
        """A new stream. It fails on its own when nobody answers; it cannot outlive a reply."""
        if self._channel is None:
            self._channel = self._connect()
        return bid_stub(self._channel)(timeout=2 * LIMITS.deadline_ms / 1e3)

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()

    def _connect(self) -> grpc.aio.Channel:
        options = [
            ("grpc.max_receive_message_length", most_bytes(self.vocabulary, self.endpoint.top_k)),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 1_000),
            ("grpc.max_reconnect_backoff_ms", 2_000),
            ("grpc.enable_retries", 0),
            ("grpc.enable_http_proxy", 0),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        target = self.endpoint.target
        if self._credentials is None:
            return grpc.aio.insecure_channel(target, options=options)
        return grpc.aio.secure_channel(target, self._credentials, options=options)


def bidders_of(campaigns: Campaigns, model: Path) -> list[Bidder]:
    """The remote bidders of a campaign file by number, for the exported LLM in `model`."""
    if not campaigns.remotes:
        return []
    vocabulary = Vocabulary.load(model)
    return [Bidder(c.advertiser, c.remote, vocabulary) for c in campaigns.remotes if c.remote]


def _credentials(tls: RemoteTLS) -> grpc.ChannelCredentials:
    files = (tls.ca, tls.key, tls.certificate)
    try:
        return grpc.ssl_channel_credentials(*(file and Path(file).read_bytes() for file in files))
    except OSError as error:
        message = "Campaign file: a TLS file of a remote bidder cannot be read."
        raise SkynetError("bad_campaigns", message, 500) from error

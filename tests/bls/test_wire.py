# SPDX-License-Identifier: Apache-2.0
"""Frames between the worker and its supervisor, over a real socket pair."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from bls.errors import SkynetError
from bls.llm.jobs import Again, Away, End, Job, Load, Prefill, Span, Step
from bls.llm.wire import pack_job, receive_frame, send_frame, unpack_job

Pair = tuple[socket.socket, socket.socket]


def quiet(result: Span | SkynetError) -> None:
    """A reply nobody listens to."""


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


JOBS = [
    Prefill(2**63 - 1, 2**64 - 1, ((1, 2, 3), (1,)), quiet),
    Prefill(1, 0, ((1, 2), (1, 3)), quiet, (0, 2**64 - 1)),
    Load(2**64 - 1, "/models/cg/a", "0" * 64, quiet),
    Step(7, 4, 49_151, quiet),
    Again(7, 255, quiet),
    End(0, quiet),
    Away(2**63 - 1, quiet),
]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: type(job).__name__)
def test_jobs_round_trip(pair: Pair, job: Job) -> None:
    send_frame(pair[0], pack_job(5, job))
    message = receive_frame(pair[1])
    assert message is not None and message[0] == 5
    assert unpack_job(message, quiet) == job


def test_frames_keep_their_order_and_borders(pair: Pair) -> None:
    sent = [["span", n, n * 4, 4] for n in range(50)]
    for message in sent:
        send_frame(pair[0], message)
    assert [receive_frame(pair[1]) for _ in sent] == sent


def test_frame_that_comes_in_pieces(pair: Pair) -> None:
    body = b'["ready"]'
    whole = struct.pack("<I", len(body)) + body

    def drip() -> None:
        for byte in whole:
            pair[0].sendall(bytes([byte]))
            time.sleep(0.001)

    sender = threading.Thread(target=drip)
    sender.start()
    assert receive_frame(pair[1]) == ["ready"]
    sender.join()


def test_frame_larger_than_the_socket_buffer(pair: Pair) -> None:
    message = [1, 0, 9, 0, [list(range(100_000))]]
    sender = threading.Thread(target=send_frame, args=(pair[0], message))
    sender.start()
    assert receive_frame(pair[1]) == message
    sender.join()


def test_oversize_frame_is_refused_before_it_is_read(pair: Pair) -> None:
    pair[0].sendall(struct.pack("<I", 64 * 1024 * 1024 + 1))
    with pytest.raises(ValueError, match="frame of 67108865 bytes"):
        receive_frame(pair[1])


def test_frame_that_is_no_json_is_refused(pair: Pair) -> None:
    pair[0].sendall(struct.pack("<I", 3) + b"\xff{]")
    with pytest.raises(ValueError, match=r"."):
        receive_frame(pair[1])


@pytest.mark.parametrize("before", [b"", b"\x09\x00", b"\x09\x00\x00\x00[1,"])
def test_closed_line_is_none(pair: Pair, before: bytes) -> None:
    """Between frames, inside a length, inside a body."""
    pair[0].sendall(before)
    pair[0].close()
    assert receive_frame(pair[1]) is None


def test_reset_line_is_none(pair: Pair) -> None:
    """A peer that dies with unread data resets the line."""
    pair[1].sendall(b"never read")
    pair[0].close()
    assert receive_frame(pair[1]) is None

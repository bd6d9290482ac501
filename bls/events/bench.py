# SPDX-License-Identifier: Apache-2.0
"""`python -m bls.events.bench`: events a second from lines on disk to the broker's acknowledgement.

One relay process against the bundled broker, with where its time goes, and beside it what
kafka-python's own producer does with the same bytes, ready made.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import kafka
import orjson

from bls.brain.decisions.record import KINDS
from bls.events.from_line import FromLine
from bls.events.relay.broker import Broker
from bls.events.relay.relay import RelayOptions
from bls.events.relay.slices import Slice, Slicer
from bls.events.relay.tail import Tail
from bls.events.schema import encode
from bls.settlement.chain import GENESIS, seal
from client.launcher.broker import broker_command, find_broker
from client.launcher.ports import free_port

_SLICE = 1 << 20
_SOURCE = "ab" * 8


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bls.events.bench", description=__doc__)
    parser.add_argument("--events", type=int, default=120_000, help="lines of each stream")
    parser.add_argument("--floor", type=int, default=30_000, help="messages of the bare producer")
    words = parser.parse_args(argv)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    folder = Path(tempfile.mkdtemp(prefix="skynet-events-"))
    try:
        for stream, line in STREAMS.items():
            write(folder, stream, line, words.events)
        for stream in STREAMS:
            split(folder, stream)
        with broker() as address:
            for stream in STREAMS:
                floor(address, folder, stream, words.floor)
        with broker() as address:
            for stream in STREAMS:
                report(f"{stream:14} one relay", [(stream,)], folder, address)
            mixed = tuple(STREAMS)
        with broker() as address:
            report(f"{'all three':14} one relay", [mixed], folder, address)
        with broker() as address:
            report(f"{'all three':14} two relays", [mixed[:1], mixed[1:]], folder, address)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def decision(index: int) -> dict[str, object]:
    """A record of the controller, digits as long as real ones."""
    values: dict[str, object] = {
        name: {"int": 3, "float": 0.12345678 + index * 1e-9, "bool": False, "str": "kite_meals"}[
            kind.__name__
        ]
        for name, kind in KINDS.items()
    }
    return values | place(index, 1) | {"row": 1 + index % 3, "token_idx": index // 3 % 256}


def bids(index: int) -> dict[str, object]:
    return place(index, 1) | {
        "mode": "sample",
        "seed": 2**63 + 7,
        "conv": 12345678901234567,
        "temperature": 0.699999988079071,
        "charge_rule": "stable_sampling",
        "micros_per_weight": 1_000,
        "advertisers": ["alpine_rail", "harbor_hotels", "lumen_coffee"],
        "weights": [1.0, 0.2276917845010757, 1.2276917845010757, 0.9276917845010757],
        "w_minus": [2.4, 2.1553835690021515, 1.1553835690021515, 1.4553835690021515],
    }


def vcg(index: int) -> dict[str, object]:
    return place(index, 1) | {
        "token": 12_345,
        "ref_token": 11,
        "margin": 1.32812782141997,
        "near_tie": False,
        "policy": False,
        "pay": [0.0, 0.0, 0.1628374697166466, 0.0],
        "critical_bid": [0.0, 0.0, 0.16966424163979238, 0.0],
        "p_token": [0.94436550281, 0.01535500402, 0.95976543210, 0.1234567891],
        "row_status": [0, 0, 0, 0],
        "log_z": [21.123456789, 22.123456789, 23.123456789, 24.123456789],
        "top": 16,
        "top_id": "AAAA" * 54,
        "top_logit": "AAAA" * 214,
    }


STREAMS: dict[str, Callable[[int], dict[str, object]]] = {
    "mpc.decisions": decision,
    "auction.bids": bids,
    "auction.vcg": vcg,
}


def place(index: int, version: int) -> dict[str, object]:
    reply = index // 192
    return {
        "v": version,
        "ts": 1.7e9 + index / 1e3,
        "conv_id": f"conv-{reply:032x}",
        "request_id": f"req-{reply:032x}",
        "token_idx": index % 192,
    }


def write(folder: Path, stream: str, line: Callable[[int], dict[str, object]], count: int) -> None:
    with (folder / stream).open("wb") as file:
        for index in range(count):
            file.write(seal(orjson.dumps(line(index)), GENESIS))


def split(folder: Path, stream: str) -> None:
    """Microseconds of CPU a line of each step, alone and on one thread."""
    chunks = []
    took: dict[str, float] = {}
    tail = Tail(folder, stream)
    with timed(took, "tail"):
        while (chunk := tail.read(_SLICE)) is not None:
            chunks.append(chunk)
    chunks = chunks[:20]
    lines = [
        (line, seq) for chunk in chunks for line, seq in zip(chunk.lines, chunk.seqs, strict=True)
    ]
    make = FromLine(stream, _SOURCE)
    with timed(took, "parse"):
        events = [make(line, seq) for line, seq in lines]
    with timed(took, "avro"):
        messages = [encode(stream, event) for event in events]
    slicer = Slicer(stream, _SOURCE)
    with timed(took, "all"):
        for chunk in chunks:
            slicer.add(chunk, 4, Slice())
    total = tail.read_lines
    each = {name: 1e6 * s / (total if name == "tail" else len(lines)) for name, s in took.items()}
    rest = each["all"] - each["parse"] - each["avro"]
    size = sum(map(len, messages)) / len(messages)
    print(
        f"{stream:14} us CPU a line: tail {each['tail']:.2f}, parse {each['parse']:.2f}, "
        f"avro {each['avro']:.2f}, batch {rest:.2f}; {len(lines[0][0])} -> {size:.0f} bytes"
    )


def floor(address: str, folder: Path, stream: str, count: int) -> None:
    """kafka-python's producer with the same messages ready made."""
    Broker(address, [stream]).connect()
    chunk = Tail(folder, stream).read(count * 2_000)
    assert chunk is not None
    make = FromLine(stream, _SOURCE)
    pairs = list(zip(chunk.lines, chunk.seqs, strict=True))[:count]
    events = [make(line, seq) for line, seq in pairs]
    ready = [(event["conv_id"].encode(), encode(stream, event)) for event in events]
    producer = kafka.KafkaProducer(
        bootstrap_servers=address, acks="all", linger_ms=20, batch_size=256 * 1024
    )
    began, cpu = time.perf_counter(), time.process_time()
    for key, message in ready:
        producer.send(stream, message, key)
    producer.flush()
    rate = len(ready) / (time.perf_counter() - began)
    each = 1e6 * (time.process_time() - cpu) / len(ready)
    producer.close()
    print(
        f"{stream:14} bare kafka-python producer, {len(ready)} messages: {rate:9,.0f} a second; "
        f"{each:.1f} us CPU a message"
    )


def report(name: str, splits: list[tuple[str, ...]], folder: Path, address: str) -> None:
    """Relays as processes, from their first checkpoint's start to the last acknowledgement."""
    for old in folder.glob("relay*"):
        old.unlink()
    wanted = {topics: sum((folder / t).stat().st_size for t in topics) for topics in splits}
    lines = sum(1 for topics in splits for t in topics for _ in (folder / t).open("rb"))
    command = [sys.executable, "-m", "bls.events.relay", "--logs", str(folder)]
    command += ["--kafka", address, "--topics"]
    began = time.perf_counter()
    children = [subprocess.Popen([*command, ",".join(topics)]) for topics in splits]
    first: float | None = None
    while first is None or any(done(folder, t) < size for t, size in wanted.items()):
        if first is None and any(done(folder, topics) for topics in splits):
            first, base = time.perf_counter(), sum(done(folder, topics) for topics in splits)
            began_cpu = sum(cpu_s(child.pid) for child in children)
        time.sleep(0.01)
    ended = time.perf_counter()
    cpu = sum(cpu_s(child.pid) for child in children) - began_cpu
    for child in children:
        child.terminate()
        child.wait()
    share = 1 - base / sum(wanted.values())
    counted = lines * share
    print(
        f"{name}, {lines} lines: {counted / (ended - first):9,.0f} a second once it runs, "
        f"{lines / (ended - began):9,.0f} with its start; {1e6 * cpu / counted:.1f} us CPU a line"
    )


def done(folder: Path, topics: tuple[str, ...]) -> int:
    """Bytes that a relay's checkpoint has behind it."""
    name = RelayOptions(folder, "", tuple(topics)).name
    try:
        streams = orjson.loads((folder / f"{name}.json").read_bytes())["streams"]
    except (OSError, ValueError):
        return 0
    return sum(state["offset"] for state in streams.values())


def cpu_s(pid: int) -> float:
    """Seconds of CPU of a process, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def timed(into: dict[str, float], name: str) -> Iterator[None]:
    began = time.process_time()
    yield
    into[name] = time.process_time() - began


@contextlib.contextmanager
def broker() -> Iterator[str]:
    """A bundled broker of its own: address."""
    port = free_port()
    child = subprocess.Popen(broker_command(find_broker(), port), stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        yield f"127.0.0.1:{port}"
    finally:
        child.kill()
        child.wait()


if __name__ == "__main__":
    raise SystemExit(main())

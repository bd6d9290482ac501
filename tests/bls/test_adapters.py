# SPDX-License-Identifier: Apache-2.0
"""Adapters of rows on the tiny model: exact weights, nobody else's bits, swaps under way."""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.llm import engine as engine_module
from bls.llm.adapter_bank import ADAPTER_SLOTS, AdapterBank
from bls.llm.adapter_file import CONFIG, AdapterShape, read_adapter
from bls.llm.engine import Engine
from bls.llm.jobs import Load, Loaded, Prefill, Span, slots_of
from bls.llm.session import LLMSession, SessionOptions
from export.errors import ExportError
from export.llm.tiny import ensure_tiny_llm
from export.manifest import LORA, LLMManifest
from tests.bls.adapters import (
    number_of,
    random_adapter,
    random_tensors,
    sha256_of,
    widths,
    write_adapter,
)
from tests.bls.engine_client import EngineClient, Rows

SMALL = dataclasses.replace(LIMITS, kv_rows=40, prefix_slots=3, prefill_queue=16)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_tiny_llm(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def manifest(model: Path) -> LLMManifest:
    return LLMManifest.load(model)


@pytest.fixture
def adapters(tmp_path: Path, manifest: LLMManifest) -> list[Path]:
    return [random_adapter(tmp_path / f"adapter_{i}", manifest, seed=i) for i in range(3)]


class Client(EngineClient):
    """An engine's client that names adapters."""

    def load(self, folder: Path) -> str:
        answer: queue.SimpleQueue[Span | SkynetError] = queue.SimpleQueue()
        load = Load(number_of(folder), str(folder), sha256_of(folder), answer.put)
        self.engine.submit(load)
        result = answer.get(timeout=30)
        if isinstance(result, SkynetError):
            raise result
        assert isinstance(result, Loaded) and result.seconds > 0
        return result.sha256

    def begin(self, conv: int, rows: Rows, adapters: tuple[int, ...]) -> np.ndarray:
        return self.wait(self.submit(lambda reply: Prefill(conv, 0, rows, reply, adapters)))

    def reply(self, conv: int, rows: Rows, adapters: tuple[int, ...], tokens: int) -> np.ndarray:
        """Logits [tokens + 1, R, V], greedy on row 0."""
        logits = self.begin(conv, rows, adapters)
        seen = [logits]
        for _ in range(tokens):
            logits = self.step(conv, len(rows), int(logits[0].argmax()))
            seen.append(logits)
        self.end(conv)
        return np.stack(seen)


@pytest.fixture
def client(model: Path) -> Iterator[Client]:
    engine = Engine(LLMSession(model, SessionOptions(threads=1, rows=40, spin=False)), SMALL)
    engine.start()
    yield Client(engine)
    engine.stop()


def chat(seed: int, rows: int = 4) -> Rows:
    rng = np.random.default_rng(seed)
    prefix = tuple(rng.integers(3, 512, 40).tolist())
    ends = [tuple(rng.integers(3, 512, 10 + i).tolist()) for i in range(rows)]
    return tuple(prefix + end for end in ends)


def refused(code: str, call: Callable[[], object]) -> None:
    with pytest.raises(SkynetError) as caught:
        call()
    assert caught.value.code == code


def test_rows_without_an_adapter_keep_their_bits(client: Client, adapters: list[Path]) -> None:
    """Beside rows that have one, prompt and steps; and rows with one do differ."""
    numbers = [number_of(folder) for folder in adapters]
    for folder in adapters:
        client.load(folder)
    plain = client.reply(1, chat(1), (), 5)
    mixed = client.reply(2, chat(1), (0, numbers[0], 0, numbers[2]), 5)
    assert np.array_equal(mixed[:, (0, 2)], plain[:, (0, 2)])
    for row in (1, 3):
        assert np.abs(mixed[:, row] - plain[:, row]).max() > 0.01


def test_a_row_with_an_adapter_has_the_same_bits_alone_and_among_others(
    client: Client, adapters: list[Path]
) -> None:
    numbers = [number_of(folder) for folder in adapters]
    for folder in adapters:
        client.load(folder)
    chosen = (0, *numbers)
    alone = client.reply(1, chat(7), chosen, 12)
    with ThreadPoolExecutor(9) as pool:
        others = [
            pool.submit(client.reply, 100 + i, chat(i, 2), (0, numbers[i % 3]), 12)
            for i in range(8)
        ]
        among = pool.submit(client.reply, 2, chat(7), chosen, 12).result()
        for other in others:
            other.result()
    assert np.array_equal(among, alone)


@pytest.mark.spec("CG-U-07")
def test_there_and_back_again_is_byte_identical(client: Client, adapters: list[Path]) -> None:
    """A, B, A: the same SHA-256 of the weights as the graph reads them, from a slot that was
    overwritten in between."""
    one = AdapterBank(client.engine._session.bank._shape, slots=1)  # type: ignore[union-attr]
    seen = []
    for folder in (adapters[0], adapters[1], adapters[0]):
        number = number_of(folder)
        one.claim(number)
        seen.append(one.load(number, folder, sha256_of(folder)))
    assert seen[0] == seen[2] != seen[1]
    assert [client.load(folder) for folder in (adapters[0], adapters[1], adapters[0])] == seen


@pytest.mark.spec("CG-I-04")
def test_a_swap_while_ten_conversations_decode(client: Client, adapters: list[Path]) -> None:
    """No call fails; those under way keep their bits; those that begin after the acknowledgement
    have the new adapter's."""
    old, new = (number_of(folder) for folder in adapters[:2])
    client.load(adapters[0])
    expected = [client.reply(i, chat(i, 3), (0, old, 0), 30) for i in range(10)]
    acknowledged = threading.Event()
    started = threading.Barrier(11)

    def talk(i: int) -> np.ndarray:
        rows = chat(i, 3)
        logits = client.begin(100 + i, rows, (0, old, 0))
        seen = [logits]
        started.wait(timeout=30)
        for step in range(30):
            if step == 10:
                assert acknowledged.wait(timeout=30)
            logits = client.step(100 + i, 3, int(logits[0].argmax()))
            seen.append(logits)
        return np.stack(seen)

    with ThreadPoolExecutor(10) as pool:
        talks = [pool.submit(talk, i) for i in range(10)]
        started.wait(timeout=30)
        client.load(adapters[1])
        acknowledged.set()
        for i, under_way in enumerate(talks):
            assert np.array_equal(under_way.result(timeout=60), expected[i])
    after = client.reply(1, chat(0, 3), (0, new, 0), 5)
    assert np.array_equal(after[:, 0], expected[0][:6, 0])
    assert np.abs(after[0, 1] - expected[0][0, 1]).max() > 0.01
    assert client.engine.stats.failures == 0


def test_slots_of_live_replies_are_never_overwritten(
    client: Client, manifest: LLMManifest, tmp_path: Path
) -> None:
    folders = [random_adapter(tmp_path / f"a{i}", manifest, i) for i in range(ADAPTER_SLOTS + 2)]
    client.load(folders[0])
    client.begin(1, chat(1, 2), (0, number_of(folders[0])))
    for folder in folders[1:]:
        client.load(folder)
    bank = client.engine._bank
    assert bank is not None and bank.knows([number_of(folders[0])])
    assert not bank.knows([number_of(folders[1])]), "the oldest that nobody uses went"
    refused("unknown_adapter", lambda: client.begin(2, chat(1, 2), (0, number_of(folders[1]))))
    client.end(1)


def test_a_full_bank_says_so(manifest: LLMManifest, adapters: list[Path]) -> None:
    bank = AdapterBank(AdapterShape(manifest.layers, manifest.hidden, 64, widths(manifest)), 1)
    first = number_of(adapters[0])
    bank.claim(first)
    refused("capacity", lambda: bank.claim(5))  # it is still being loaded
    bank.load(first, adapters[0], sha256_of(adapters[0]))
    bank.take([0, first])
    refused("capacity", lambda: bank.claim(5))
    bank.give([0, first])
    bank.claim(5)
    assert not bank.ready([5]) and bank.knows([5]) and not bank.knows([first])


def test_a_prompt_waits_for_an_adapter_that_is_being_loaded(
    client: Client, adapters: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a restart of the worker, where prompts and loads come together."""
    bank = client.engine._bank
    assert bank is not None
    go, number = threading.Event(), number_of(adapters[0])
    monkeypatch.setattr(bank, "_prepare", lambda: go.wait(30))
    answer: queue.SimpleQueue[object] = queue.SimpleQueue()
    client.engine.submit(Load(number, str(adapters[0]), sha256_of(adapters[0]), answer.put))
    waiting = client.submit(lambda reply: Prefill(1, 0, chat(1, 2), reply, (0, number)))
    client.end(99)  # both were received
    assert waiting.empty() and answer.empty()
    client.engine._session.open_adapters()
    go.set()
    assert client.wait(waiting).shape == (2, 512)


def test_an_adapter_that_hangs_holds_up_its_own_prompts_alone(
    client: Client, adapters: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others pass the prompt that waits for it, which is refused when its time is over."""
    bank = client.engine._bank
    assert bank is not None
    go, number = threading.Event(), number_of(adapters[0])
    monkeypatch.setattr(bank, "_prepare", lambda: go.wait(60))
    monkeypatch.setattr(engine_module, "_PREFILL_WAIT_S", 0.5)
    load = Load(number, str(adapters[0]), sha256_of(adapters[0]), lambda result: None)
    client.engine.submit(load)
    try:
        waiting = client.submit(lambda reply: Prefill(1, 0, chat(1, 2), reply, (0, number)))
        assert client.begin(2, chat(2, 2), ()).shape == (2, 512)
        refused("capacity", lambda: client.wait(waiting))
        assert client.begin(1, chat(1, 2), ()).shape == (2, 512), "it is forgotten"
    finally:
        go.set()


def test_a_prompt_whose_adapter_fails_is_told(client: Client, tmp_path: Path) -> None:
    """A load that fails leaves no slot taken."""
    nowhere = Load(7, str(tmp_path), "0" * 64, lambda result: None)
    answer: queue.SimpleQueue[object] = queue.SimpleQueue()
    client.engine.submit(dataclasses.replace(nowhere, reply=answer.put))
    fault = answer.get(timeout=10)
    assert isinstance(fault, SkynetError) and fault.code == "model_missing"
    refused("unknown_adapter", lambda: client.begin(1, chat(1, 2), (0, 7)))
    bank = client.engine._bank
    assert bank is not None and len(bank._free) == ADAPTER_SLOTS


def test_refusals(client: Client, adapters: list[Path]) -> None:
    number = number_of(adapters[0])
    client.load(adapters[0])
    refused("bad_adapters", lambda: client.begin(1, chat(1, 3), (0, number)))
    refused("bad_adapters", lambda: client.begin(1, chat(1, 2), (number, 0)))
    refused("unknown_adapter", lambda: client.begin(1, chat(1, 2), (0, 12345)))
    assert client.engine.stats.adapters_missing == 1
    assert client.engine.stats.rows_in_use == 0
    assert slots_of([]) is None


def test_a_model_without_the_graph_has_no_adapters(model: Path, adapters: list[Path]) -> None:
    session = LLMSession(model, SessionOptions(threads=1, rows=40, spin=False))
    session.bank = None
    engine = Engine(session, SMALL)
    engine.start()
    client = Client(engine)
    refused("adapters_unsupported", lambda: client.load(adapters[0]))
    refused("unknown_adapter", lambda: client.begin(1, chat(1, 2), (0, 5)))
    client.begin(1, chat(1, 2), ())
    engine.stop()
    assert LORA in LLMManifest.load(model, verify=False).files


def shape_of(manifest: LLMManifest) -> AdapterShape:
    return AdapterShape(manifest.layers, manifest.hidden, 64, widths(manifest))


def test_smaller_ranks_are_padded_and_the_scale_is_inside(
    manifest: LLMManifest, tmp_path: Path
) -> None:
    tensors = random_tensors(manifest, 1, rank=4)
    plain = read_adapter(write_adapter(tmp_path / "a", tensors, 4), shape_of(manifest))
    double = write_adapter(tmp_path / "b", tensors, 4, lora_alpha=8)
    twice = read_adapter(double, shape_of(manifest))
    root = write_adapter(tmp_path / "c", tensors, 4, lora_alpha=8, use_rslora=True)
    a = tensors["base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight"]
    assert np.array_equal(plain["q_a"][1, :, :4], a.T) and not plain["q_a"][..., 4:].any()
    assert np.array_equal(twice["v_b"], 2 * plain["v_b"])
    assert np.array_equal(read_adapter(root, shape_of(manifest))["v_b"], 4 * plain["v_b"])


@pytest.mark.parametrize(
    ("code", "config"),
    [
        ("adapter_unsupported", {"r": 65}),
        ("adapter_unsupported", {"r": 0}),
        ("adapter_unsupported", {"target_modules": ["q_proj"]}),
        ("adapter_unsupported", {"peft_type": "IA3"}),
        ("adapter_unsupported", {"use_dora": True}),
        ("adapter_unsupported", {"rank_pattern": {"q_proj": 4}}),
        ("adapter_invalid", {"r": None, "target_modules": None}),
        ("adapter_invalid", {"lora_alpha": 1e300}),
        ("adapter_invalid", {"r": 9}),
    ],
)
def test_configurations_that_are_refused(
    manifest: LLMManifest, tmp_path: Path, code: str, config: dict[str, object]
) -> None:
    folder = write_adapter(tmp_path / "a", random_tensors(manifest, 1), **config)
    with pytest.raises(ExportError) as caught:
        read_adapter(folder, shape_of(manifest))
    assert caught.value.code == code


def test_weights_that_are_refused(manifest: LLMManifest, tmp_path: Path) -> None:
    tensors = random_tensors(manifest, 1)
    name = sorted(tensors)[0]
    infinite = tensors | {name: np.full_like(tensors[name], np.inf)}
    missing = {key: value for key, value in tensors.items() if key != name}
    extra = tensors | {"base_model.model.lm_head.weight": tensors[name]}
    for code, odd in (
        ("adapter_invalid", infinite),
        ("adapter_unsupported", missing),
        ("adapter_unsupported", extra),
    ):
        folder = write_adapter(tmp_path / f"{code}{len(odd)}", odd)
        with pytest.raises(ExportError) as caught:
            read_adapter(folder, shape_of(manifest))
        assert caught.value.code == code
    unread = write_adapter(tmp_path / "unread", tensors)
    (unread / CONFIG).write_text("{")
    with pytest.raises(ExportError, match="not readable"):
        read_adapter(unread, shape_of(manifest))


def test_files_are_checked_against_the_key(client: Client, adapters: list[Path]) -> None:
    wrong = Load(1, str(adapters[0]), "0" * 64, lambda result: None)
    answer: queue.SimpleQueue[object] = queue.SimpleQueue()
    client.engine.submit(dataclasses.replace(wrong, reply=answer.put))
    fault = answer.get(timeout=10)
    assert isinstance(fault, SkynetError) and fault.code == "model_hash_mismatch"
    (adapters[1] / CONFIG).write_text("{}")
    refused("model_hash_mismatch", lambda: client.load(adapters[1]))


def test_an_adapter_of_another_model_is_refused(
    client: Client, manifest: LLMManifest, tmp_path: Path
) -> None:
    tensors = random_tensors(manifest, 1)
    client.load(write_adapter(tmp_path / "ours", tensors, base=manifest.source_sha256))
    theirs = write_adapter(tmp_path / "theirs", tensors, base="0" * 64)
    refused("adapter_unsupported", lambda: client.load(theirs))


def test_loading_never_holds_up_a_step(
    client: Client, adapters: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = client.engine._bank
    assert bank is not None
    go = threading.Event()
    monkeypatch.setattr(bank, "_prepare", lambda: go.wait(30))
    client.begin(1, chat(1, 2), ())
    answer: queue.SimpleQueue[object] = queue.SimpleQueue()
    load = Load(number_of(adapters[0]), str(adapters[0]), sha256_of(adapters[0]), answer.put)
    client.engine.submit(load)
    for _ in range(5):
        client.step(1, 2, 9)
    assert answer.empty()
    go.set()
    stop = time.monotonic() + 30
    while answer.empty():
        assert time.monotonic() < stop
        time.sleep(0.01)

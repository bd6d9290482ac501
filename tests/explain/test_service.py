# SPDX-License-Identifier: Apache-2.0
"""The worker's life: started on demand, one at a time, replaced when it dies or hangs."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bls.errors import SkynetError
from bls.explain.options import ExplainOptions
from bls.explain.request import ExplainRequest
from bls.explain.service import ExplainService
from bls.explain.worker import NICE
from bls.limits import LIMITS

ASK = ExplainRequest(context="A weekend by the sea", ad="Cheap quiet rooms, sea view for cheap")


def run(
    options: ExplainOptions, work: Callable[[ExplainService], Awaitable[None]], **limits: Any
) -> None:
    """`work` with a service that is closed whatever happens."""

    async def whole() -> None:
        service = ExplainService(options, dataclasses.replace(LIMITS, **limits))
        try:
            await work(service)
        finally:
            await service.close()

    asyncio.run(whole())


async def refusal(work: Awaitable[object]) -> tuple[str, int]:
    """Code and status of the error that `work` ends with."""
    with pytest.raises(SkynetError) as raised:
        await work
    return raised.value.code, raised.value.status


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not met():
            await asyncio.sleep(0.01)


def test_one_at_a_time_and_a_dead_worker_is_replaced(tiny: Path) -> None:
    async def work(service: ExplainService) -> None:
        assert service.worker_pid is None
        tasks = [asyncio.create_task(service.explain(ASK)) for _ in range(3)]
        await until(lambda: service.waiting == 3)
        assert await refusal(service.explain(ASK)) == ("explain_busy", 429)
        tasks[0].cancel()  # while the worker starts for it
        left, first, second = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(left, asyncio.CancelledError)
        assert isinstance(first, dict) and isinstance(second, dict)
        assert first["shap"] == second["shap"]
        await until(lambda: service.waiting == 0)
        odd = ExplainRequest(context="\x01", ad="cheap")
        assert await refusal(service.explain(odd)) == ("empty_text", 400)
        assert service.starts == 1

        pid = stopped(service)
        assert os.getpriority(os.PRIO_PROCESS, pid) == NICE
        lost = asyncio.create_task(service.explain(ASK))
        await until(lambda: service.waiting == 1)
        os.kill(pid, signal.SIGKILL)
        assert await refusal(lost) == ("explain_lost", 503)

        again = await service.explain(ASK)
        assert again["shap"] == first["shap"] and service.starts == 2
        pid = stopped(service)
        last = asyncio.create_task(service.explain(ASK))
        await until(lambda: service.waiting == 1)
        await service.close()
        assert await refusal(last) == ("explain_lost", 503)
        assert service.waiting == 0 and not Path("/proc", str(pid)).exists()

    run(ExplainOptions(tve=tiny), work, explain_queue=3)


def stopped(service: ExplainService) -> int:
    """The pid of the worker, which does nothing from now on."""
    assert service.worker_pid is not None
    os.kill(service.worker_pid, signal.SIGSTOP)
    return service.worker_pid


def test_a_worker_that_says_nothing_is_ended(tiny: Path, tmp_path: Path) -> None:
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o755)

    async def work(service: ExplainService) -> None:
        task = asyncio.create_task(service.explain(ASK))
        await until(lambda: service.worker_pid is not None)
        pid = service.worker_pid
        assert await refusal(task) == ("explain_timeout", 504)
        assert service.worker_pid is None and not Path("/proc", str(pid)).exists()

    run(ExplainOptions(tve=tiny, python=str(silent)), work, explain_start_s=0.3)


def test_without_shap_it_says_so_and_does_not_start_over_and_over(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shap").mkdir()
    (tmp_path / "shap" / "__init__.py").write_text("raise ImportError('not here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    async def work(service: ExplainService) -> None:
        for _ in range(2):
            assert await refusal(service.explain(ASK)) == ("explain_unavailable", 501)
        assert service.starts == 1

    run(ExplainOptions(tve=tiny), work)


@pytest.mark.parametrize(
    "change",
    [{"tve": Path("/nowhere")}, {"encoder": Path("/nowhere")}, {"python": "/no/python"}],
    ids=lambda change: next(iter(change)),
)
def test_without_a_model_or_an_interpreter_it_says_so(tiny: Path, change: dict[str, Any]) -> None:
    async def work(service: ExplainService) -> None:
        with pytest.raises(SkynetError) as raised:
            await service.explain(ASK)
        assert raised.value.code == "explain_unavailable"
        assert "nowhere" not in raised.value.message

    run(dataclasses.replace(ExplainOptions(tve=tiny), **change), work)


def test_a_worker_that_ends_at_once_is_lost_not_waited_for(tiny: Path) -> None:
    async def work(service: ExplainService) -> None:
        assert await refusal(service.explain(ASK)) == ("explain_lost", 503)

    run(ExplainOptions(tve=tiny, python="/bin/true"), work)

# SPDX-License-Identifier: Apache-2.0
"""`python -m bls.explain.bench`: what an explanation costs, and what it costs others.

Prints milliseconds per explanation by the ad's length, then how long one prediction of `tve` takes
in this process with the explain worker idle and with it busy all the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bls.explain.options import ExplainOptions
from bls.explain.request import ExplainRequest
from bls.explain.service import Answer, ExplainService
from bls.explain.value_model import ValueModel
from bls.models.pointer import FolderPointer

_CONTEXT = "I need a quiet place to stay near the beach for a long weekend in May"
_AD = (
    "Harbor Hotels: sea view rooms from 90 dollars a night, breakfast included, free cancellation "
    "until the day before you arrive, a rooftop pool and bicycles for every guest all summer"
)
_EXPLANATIONS, _PREDICTIONS = 20, 2_000


async def _explanations(service: ExplainService) -> None:
    print("tokens  model rows   p50 ms   p95 ms   cpu ms p50, p95   (context vector cached)")
    for words in (4, 10, 18, 30):
        ad = " ".join(_AD.split()[:words])
        answers = [await service.explain(_ask(ad)) for _ in range(_EXPLANATIONS)]
        took = [answer["shap_ms"] for answer in answers]
        last = answers[-1]
        cpu = [answer["cpu_ms"] for answer in answers]
        shape = f"{last['curve']['tokens']:6} {last['evaluations']:11}"
        print(f"{shape} {_quantiles(took)} {_quantiles(cpu)}")


def _ask(ad: str) -> ExplainRequest:
    return ExplainRequest(context=_CONTEXT, ad=ad)


def _predictions(model: ValueModel) -> str:
    tokens = model.tokens(_AD)
    ctx_vec = np.full(128, 128**-0.5, np.float32)
    shown = np.ones((1, len(tokens.texts)), bool)
    took = []
    for _ in range(_PREDICTIONS):
        start = time.perf_counter()
        model.curves(ctx_vec, tokens, shown)
        took.append((time.perf_counter() - start) * 1e3)
    return _quantiles(took)


def _quantiles(values: list[float]) -> str:
    return f"{np.median(values):8.2f} {np.quantile(values, 0.95):8.2f}"


@contextmanager
def _busy(service: ExplainService, loop: asyncio.AbstractEventLoop) -> Iterator[Callable[[], int]]:
    """The worker explains without a pause inside; yields how many are done."""
    done: list[Answer] = []

    async def feed() -> None:
        while True:
            done.append(await service.explain(_ask(_AD)))

    task = asyncio.run_coroutine_threadsafe(feed(), loop)
    try:
        yield lambda: len(done)
    finally:
        task.cancel()


def main() -> None:
    """Print both tables."""
    options = ExplainOptions()
    target = FolderPointer(options.tve)()
    if target is None:
        raise SystemExit("there is no value model to explain")
    model = ValueModel(target)
    service = ExplainService(options)
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    def wait(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(work(), loop).result()

    try:
        wait(lambda: _explanations(service))
        print("one prediction, worker    p50 ms   p95 ms")
        print(f"idle                   {_predictions(model)}")
        with _busy(service, loop) as done:
            print(f"explaining             {_predictions(model)}   ({done()} explained meanwhile)")
    finally:
        with contextlib.suppress(Exception):
            wait(service.close)


if __name__ == "__main__":
    main()

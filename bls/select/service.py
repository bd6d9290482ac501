# SPDX-License-Identifier: Apache-2.0
"""Everything `select` needs, opened from the settings, and what keeps it up to date.

A thread of its own looks once a second at campaigns, money and axes. New axes are given to the
index, which builds a generation of theirs; until that is there, `axes_mismatch` tells callers to
encode with the axes before.
"""

from __future__ import annotations

import contextlib
import threading

from pydantic import ValidationError

from bls.ads.database import open_database
from bls.ads.migrate import migrate
from bls.ads.store import AdStore
from bls.brain.context.live_axes import LiveAxes
from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.keys.live import LiveValue
from bls.keys.store import open_store
from bls.request import from_validation
from bls.select import conf
from bls.select.answer import NOTHING, SelectRequest
from bls.select.answers import Answers
from bls.select.boards import Boards
from bls.select.caps import FrequencyCaps
from bls.select.conf import SelectorConf, read_conf
from bls.select.index.keeper import IndexKeeper
from bls.select.index.protocol import F32
from bls.select.lambdas import LiveLambda
from bls.select.selector import Selector
from bls.select.stats import SelectStats
from bls.settings import Settings

LOOK_S = 1.0
_START_S = 10.0


class SelectService:
    """`answer` from any thread, once started.

    Attributes:
        store, keeper, axes, weights, conf: its parts, for their series.
    """

    def __init__(self, settings: Settings, log: JsonLog) -> None:
        """Raises `bad_setting`, or what the shipped axes' folder raises."""
        self.stats, caps = SelectStats(), FrequencyCaps()
        self._answers = Answers(caps, log.write_many, self.stats)
        self._engine = open_database(settings.database_url, settings.database_password)
        self.store = AdStore(self._engine)
        self.axes = LiveAxes.open(settings, log)
        self.keeper = IndexKeeper.open(settings, self.store, log)
        self._keys = open_store(settings.key_store, settings.etcd_password)
        self.weights = LiveLambda(self._keys, log)
        self.conf: LiveValue[SelectorConf] = LiveValue(
            self._keys, conf.KEY, read_conf, SelectorConf(), keys=None, log=log, removable=True
        )
        self._boards = Boards(self.store, self.keeper, self._held, log=log, stats=self.stats)
        self._selector = Selector(
            self.store.funds,
            self._boards,
            weights=lambda: self.weights.live,
            conf=lambda: self.conf.current,
            stats=self.stats,
            caps=caps,
        )
        self._newest = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="select", daemon=True)

    def start(self) -> None:
        """Serve as soon as there is an index; without a database, as soon as there is one."""
        with contextlib.suppress(SkynetError):  # told by every look
            migrate(self._engine)
        self.axes.start()
        newest = self.axes.held().newest
        self._newest = newest.served
        self.keeper.start(newest.p_k, newest.served, _START_S)
        self.look()
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        self._thread.join(timeout=10)
        self.keeper.stop()
        self.axes.stop()
        self.weights.close()
        self.conf.close()
        self._keys.close()
        self._engine.dispose()

    def answer(self, raw: bytes, ctx: F32, axes: int) -> bytes:
        """A `SelectAnswer` to a `SelectRequest`, as JSON.

        A question counts nothing. A request that says what is `shown` has that counted and its
        lines written, once; `ctx` and `axes` mean nothing then.

        Raises `SkynetError`: as `Selector.select`, or what is wrong with the request.
        """
        try:
            request = SelectRequest.model_validate_json(raw)
        except ValidationError as error:
            raise from_validation(error) from None
        if request.shown is not None:
            self._answers.confirm(request)
            return NOTHING.model_dump_json().encode()
        found = self._selector.select(request, ctx, axes)
        self._answers.keep(request, found)
        return found.model_dump_json().encode()

    def look(self) -> None:
        """Bring everything up to date. Never raises: what was known goes on being served."""
        try:
            newest = self.axes.held().newest
            if newest.served != self._newest:
                self.keeper.rebuild(newest.p_k, newest.served)
                self._newest = newest.served
            self._boards.refresh()
        except SkynetError as error:
            self.stats.errors.add(code=error.code)
        except Exception as fault:  # the thread must outlive it: the next look may well work
            self.stats.errors.add(code=type(fault).__name__)

    def _held(self) -> tuple[int, ...]:
        return tuple(version.served for version in self.axes.held().versions)

    def _run(self) -> None:
        while not self._done.wait(LOOK_S):
            self.look()

# SPDX-License-Identifier: Apache-2.0
"""The budgets of a server: its database opened, its campaign file in it, its last run settled.

A database that is away when the server starts is prepared when it comes back; nobody has money to
spend before.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bls.ads.database import open_database
from bls.ads.former import take_over
from bls.ads.ledger import Ledger
from bls.ads.migrate import migrate
from bls.ads.owner import Owner
from bls.ads.seed import seed
from bls.brain.budget.budgets import Budgets
from bls.brain.budget.reconcile import reconcile
from bls.campaigns import Campaigns
from bls.settings import Settings


class OpenBudgets:
    """`budgets`, until `close`.

    Args:
        failed: told of every failure of the database.

    Raises:
        SkynetError: `bad_setting`, `budgets_locked`, `bad_server_id`.
    """

    def __init__(
        self, settings: Settings, campaigns: Campaigns, failed: Callable[[Exception], None]
    ) -> None:
        self._settings, self._campaigns = settings, campaigns
        self._engine = open_database(settings.database_url, settings.database_password)
        self._owner = Owner(settings.state)
        self._ledger = Ledger(self._engine, self._owner.name, self._owner.session)
        unit = campaigns.micros_per_weight
        self.budgets = Budgets(self._ledger, unit, prepare=self._prepare, failed=failed)
        self.budgets.funded([])  # prepares, if the database is there

    def close(self) -> None:
        self.budgets.close()
        self._engine.dispose()
        self._owner.close()

    def _prepare(self) -> None:
        migrate(self._engine)
        take_over(self._engine, self._settings.state, self._owner.name, time.time())
        seed(self._engine, self._campaigns)
        reconcile(self._ledger, self._settings.logs)
        self._ledger.prune()

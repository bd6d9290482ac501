# SPDX-License-Identifier: Apache-2.0
"""After a crash: what replies held is settled by their receipts, which alone decide what is billed.

A receipt that was written bills its reply; a reply without one bills nobody (docs/settlement.md).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from bls.ads.ledger import Ledger
from bls.errors import SkynetError
from bls.settlement.faults import Faults
from bls.settlement.reader import Reader
from bls.settlement.refunds import net


def reply_key(conv_id: str, request_id: str) -> str:
    """The key of a reply in the ledger, which outlives the conversation: it names nobody."""
    return hashlib.sha256(f"{conv_id} {request_id}".encode()).hexdigest()[:32]


def reconcile(ledger: Ledger, logs: Path) -> int:
    """Settle what an earlier run of this server left; how many holds.

    Receipts that are missing or in doubt settle nothing: the money stays held.
    """
    orphans = ledger.orphans()
    if not orphans:
        return 0
    faults = Faults()
    try:
        receipts = Reader(logs, faults).receipts()
    except SkynetError:
        return 0
    if faults.serious:
        return 0
    charged = {
        (advertiser, reply_key(*reply)): micros
        for reply, receipt in receipts.items()
        for advertiser, micros in net(receipt).items()
    }
    for advertiser, key in orphans:
        ledger.commit(advertiser, key, charged.get((advertiser, key), 0))
    return len(orphans)

# SPDX-License-Identifier: Apache-2.0
"""The benchmark as Markdown: the trail, the tables; into a page between its marks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bls.errors import SkynetError
from pipelines_dagster.phantom.bench import tables
from pipelines_dagster.phantom.bench.columns import Columns


def page(columns: Columns, trail: Mapping[str, Any]) -> str:
    """Everything, in the order a reader wants it."""
    seeds = trail["seeds"]
    market = trail["market"]
    wide = f" on {trail['wide']} products" if trail["wide"] else ""
    return "\n".join(
        [
            f"`{trail['argv']}`, code `{trail['git'][:12]}`, seeds {seeds[0]}..{seeds[-1]}, "
            f"{trail['timesteps']:,} market steps of training, {trail['episodes']} episodes a "
            f"share; {market['products']} products, {market['sessions']} sessions a step, "
            f"information `{market['information']}`. 95 % intervals: Student's t over seeds; "
            "changes are paired, seed by seed.\n",
            "**Tiers**, means over all shares of agents (`published`: change baseline to robust "
            "there).\n",
            tables.tiers(columns),
            "**Objective against the plain twin** of the same tier and seeds, share by share. "
            "Verdict: `kept`, at most 1 % is lost at alpha <= 0.2; `better`, the interval lies "
            f"above 0 at every alpha >= 0.6; `{tables.TOO_FEW}`, none under {tables.LEAST}.\n",
            tables.against(columns),
            f"**Contamination slope**: least-squares line of revenue over alpha{wide}.\n",
            tables.slopes(columns),
            "**Revenue an episode**\n",
            tables.by_share(columns, "revenue"),
            "**Objective an episode**\n",
            tables.by_share(columns, "objective"),
        ]
    )


def write_into(path: Path, text: str, mark: str) -> None:
    """Put `text` between `<!-- mark -->` and `<!-- /mark -->`. Raises `bad_page`."""
    begin, finish = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    try:
        whole = path.read_text(encoding="utf-8")
    except OSError:
        whole = ""
    if begin not in whole or finish not in whole:
        raise SkynetError("bad_page", "The page has no place for the tables.", 409)
    before, rest = whole.split(begin, 1)
    after = rest.split(finish, 1)[1]
    path.write_text(f"{before}{begin}\n{text}\n{finish}{after}", encoding="utf-8")

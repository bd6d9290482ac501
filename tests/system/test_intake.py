# SPDX-License-Identifier: Apache-2.0
"""The running stack's own gateway as the endpoint that rewrites imported products."""

from __future__ import annotations

from pathlib import Path

from client.intake.columns import find_columns
from client.intake.endpoint import Endpoint, Trouble
from client.intake.kept import KeptRewrites
from client.intake.product import product_of
from client.intake.report import Report
from client.intake.rewrite import Rewriter
from client.intake.wording import ModelTokens
from client.launcher.stack import Stack

ROW = {
    "title": "Harbour Tent",
    "brand": "Brightwater",
    "description": "A tent for two that stands in four minutes and keeps out the rain.",
}


def test_products_are_rewritten_by_our_own_gateway(stack: Stack, tmp_path: Path) -> None:
    """It answers; whether a small model's ad is taken is the checks' to say."""
    tokens = ModelTokens(stack.settings.llm_folder())
    endpoint = Endpoint(f"{stack.gateway_url}/v1", timeout_s=100.0, tries=1)
    rewriter = Rewriter(endpoint, KeptRewrites(tmp_path / "kept"), tokens, tokens.special)
    report = Report()
    texts = rewriter([product_of(2, ROW, find_columns(list(ROW), {}))], report)
    assert report.rewritten + report.not_rewritten.total() == 1
    assert not set(map(str, Trouble)) & set(report.not_rewritten)
    assert len(texts) == report.rewritten

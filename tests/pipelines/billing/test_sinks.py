# SPDX-License-Identifier: Apache-2.0
"""Where invoices go: files, and a payment service that answers as it likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bls.errors import SkynetError
from pipelines_dagster.defs.billing.invoice import Invoice
from pipelines_dagster.defs.billing.period import Period
from pipelines_dagster.defs.billing.sinks import FileSink, HttpSink, InvoiceSink, open_sink
from tests.pipelines.billing.rig import Service, line


def test_a_service_takes_an_invoice_once_whatever_it_answers(service: Service) -> None:
    invoice = Invoice("acme", "USD", Period.of_day("2026-10-01"), (line("2026-10-01", 20_000),))
    service.statuses = [500, 0, 429]
    sink = HttpSink(service.url, "s3cret", pause_s=0.001)
    sink.send(invoice)
    sink.send(invoice)
    assert len(service.asked) == 5 and list(service.kept) == [invoice.idempotency_key]
    assert service.kept[invoice.idempotency_key]["amount_due"] == 2
    assert service.asked[0]["Authorization"] == "Bearer s3cret" and "s3cret" not in repr(sink)


@pytest.mark.parametrize(
    ("statuses", "code"), [([402], "invoice_refused"), ([503] * 5, "sink_unreachable")]
)
def test_a_service_that_refuses(service: Service, statuses: list[int], code: str) -> None:
    invoice = Invoice("acme", "USD", Period.of_day("2026-10-01"), (line("2026-10-01", 20_000),))
    service.statuses = statuses
    with pytest.raises(SkynetError) as caught:
        HttpSink(service.url, "k", pause_s=0.001).send(invoice)
    assert caught.value.code == code


def test_which_sink(tmp_path: Path) -> None:
    assert isinstance(open_sink(tmp_path, {}), FileSink)
    http: InvoiceSink = open_sink(
        tmp_path, {"INVOICES_URL": "https://pay.example/v1", "INVOICES_KEY": "k"}
    )
    assert isinstance(http, HttpSink)
    for given_env, code in (
        ({"INVOICES_URL": "https://pay.example/v1"}, "missing_secret"),
        ({"INVOICES_URL": "http://pay.example/v1", "INVOICES_KEY": "k"}, "bad_setting"),
        ({"INVOICES_URL": "nonsense", "INVOICES_KEY": "k"}, "bad_setting"),
    ):
        with pytest.raises(SkynetError) as caught:
            open_sink(tmp_path, given_env)
        assert caught.value.code == code

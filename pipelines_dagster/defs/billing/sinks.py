# SPDX-License-Identifier: Apache-2.0
"""Where invoices go: a folder by default, a payment service by configuration.

`INVOICES_URL` names the service's endpoint, `INVOICES_KEY` is its secret. Sending an invoice again
is always safe: a file that is there stays, and a service knows the idempotency key.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from bls.errors import SkynetError
from pipelines_dagster.defs.billing.invoice import Invoice

_TRIES = 5
_PAUSE_S = 0.2
_TIMEOUT_S = 10.0
_SERVER_ERROR, _OK = 500, 300
_TOO_MANY = 429


class InvoiceSink(Protocol):
    """Takes invoices; what it has taken once it never takes twice."""

    def send(self, invoice: Invoice) -> None:
        """Raises `invoice_changed`, `invoice_refused`, `sink_unreachable`."""


@dataclass(frozen=True)
class FileSink:
    """`<number>.json` and `.csv` in a folder, each written whole."""

    folder: Path

    def send(self, invoice: Invoice) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(invoice.payload(), indent=2) + "\n"
        kept = self.folder / f"{invoice.number}.json"
        if kept.exists() and kept.read_text(encoding="utf-8") != text:
            why = "An invoice of this number is there and says something else."
            raise SkynetError("invoice_changed", why, 409)
        _write(self.folder / f"{invoice.number}.csv", invoice.as_csv())
        _write(kept, text)


@dataclass(frozen=True)
class HttpSink:
    """POST of the payload, with the key as bearer token and an `Idempotency-Key`."""

    url: str
    key: str = field(repr=False)
    pause_s: float = _PAUSE_S

    def send(self, invoice: Invoice) -> None:
        headers = {
            "Authorization": f"Bearer {self.key}",
            "Idempotency-Key": invoice.idempotency_key,
        }
        with httpx.Client(timeout=_TIMEOUT_S, headers=headers) as client:
            for attempt in range(_TRIES):
                if self._posted(client, invoice):
                    return
                time.sleep(self.pause_s * 2**attempt)
        raise SkynetError("sink_unreachable", "The payment service does not take invoices.", 503)

    def _posted(self, client: httpx.Client, invoice: Invoice) -> bool:
        """False when it is worth another try. Raises `invoice_refused`."""
        try:
            status = client.post(self.url, json=invoice.payload()).status_code
        except httpx.HTTPError:
            return False
        if status >= _SERVER_ERROR or status == _TOO_MANY:
            return False
        if status >= _OK:
            why = f"The payment service refuses an invoice ({status})."
            raise SkynetError("invoice_refused", why, 502)
        return True


def open_sink(state: Path, environment: Mapping[str, str] = os.environ) -> InvoiceSink:
    """The sink that is configured. Raises `missing_secret`, `bad_setting`."""
    url = environment.get("INVOICES_URL", "")
    if not url:
        return FileSink(state / "invoices")
    parts = urlsplit(url)
    local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or parts.scheme not in (("http", "https") if local else ("https",)):
        raise SkynetError("bad_setting", "INVOICES_URL must be an https URL.", 500)
    key = environment.get("INVOICES_KEY", "")
    if not key:
        raise SkynetError("missing_secret", "INVOICES_KEY is not set.", 500)
    return HttpSink(url, key)


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)

# SPDX-License-Identifier: Apache-2.0
"""What commands that need the pipelines share: they are an extra, imported when a command runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bls.errors import SkynetError

_EXTRA = ("polars", "deltalake", "dagster", "mlflow", "pipelines_dagster", "boto3")


@contextmanager
def pipelines_extra() -> Iterator[None]:
    """Raises `no_pipelines`, saying what to install, where a package of the extra is missing."""
    try:
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise SkynetError(
            "no_pipelines", "This needs the pipelines: pip install 'skynet-ads[pipelines]'.", 500
        ) from None

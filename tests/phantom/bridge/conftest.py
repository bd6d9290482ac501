# SPDX-License-Identifier: Apache-2.0
"""The settlement tests' workshop: records of the real kernel."""

from tests.settlement.conftest import auction, workshop

__all__ = ["auction", "workshop"]

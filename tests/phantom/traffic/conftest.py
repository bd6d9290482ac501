# SPDX-License-Identifier: Apache-2.0
"""A real gateway in front of a scripted `token_auction`."""

from tests.client.conftest import gateway, triton

__all__ = ["gateway", "triton"]

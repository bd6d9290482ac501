# SPDX-License-Identifier: Apache-2.0
"""Tries to make the ledger overspend or forget: `python -m bls.ads.soak --help`."""

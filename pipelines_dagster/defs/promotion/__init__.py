# SPDX-License-Identifier: Apache-2.0
"""From a trained version to live traffic, and back: gates, canary, keys, ledger."""

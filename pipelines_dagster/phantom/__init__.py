# SPDX-License-Identifier: Apache-2.0
"""PHANTOM offline: traffic to learn from, the market, robust policies and their bench."""

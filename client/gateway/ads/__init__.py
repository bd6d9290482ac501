# SPDX-License-Identifier: Apache-2.0
"""Campaigns, creatives and budgets over HTTP (docs/campaigns.md)."""

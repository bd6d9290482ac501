# SPDX-License-Identifier: Apache-2.0
"""Campaigns, creatives and their money, in one SQL schema."""

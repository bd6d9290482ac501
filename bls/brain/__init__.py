# SPDX-License-Identifier: Apache-2.0
"""The bidding brain: what turns a forecast, a value curve and a budget into a bid per token."""

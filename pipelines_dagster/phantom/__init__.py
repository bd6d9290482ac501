# SPDX-License-Identifier: Apache-2.0
"""PHANTOM offline: traffic to learn from, simulated markets, and policies trained in them."""

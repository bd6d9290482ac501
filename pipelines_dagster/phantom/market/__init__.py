# SPDX-License-Identifier: Apache-2.0
"""A market with any share of shopping agents: demand, contamination, cost of information."""

# SPDX-License-Identifier: Apache-2.0
"""Worst cases a price is judged by: a grid of agent shares, an exact Wasserstein ball."""

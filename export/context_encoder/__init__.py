# SPDX-License-Identifier: Apache-2.0
"""Fits and ships the context encoder's projection: MiniLM's 384 numbers to 128 axes."""

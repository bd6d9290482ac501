# SPDX-License-Identifier: Apache-2.0
"""Pricing policies: one interface, an item at a time, so that one policy serves any catalogue."""

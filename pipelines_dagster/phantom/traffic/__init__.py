# SPDX-License-Identifier: Apache-2.0
"""Visitors of the shop that we drive ourselves: shopping agents and person-like models.

Every session made here is labelled `synthetic`, whatever it imitates (docs/phantom_traffic.md).
"""

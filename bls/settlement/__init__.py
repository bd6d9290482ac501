# SPDX-License-Identifier: Apache-2.0
"""Money after the fact: what is written down of every token, and how it is checked offline."""

# SPDX-License-Identifier: Apache-2.0
"""A long chat in at most 512 tokens: summaries of its head, its tail as it is."""

# SPDX-License-Identifier: Apache-2.0
"""Advertisers that run their own model: the exchange dials them and joins their logits."""

# SPDX-License-Identifier: Apache-2.0
"""Which creatives are near a context: exact for few, IVF-PQ with exact re-ranking for millions."""

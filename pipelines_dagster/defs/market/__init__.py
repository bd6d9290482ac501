# SPDX-License-Identifier: Apache-2.0
"""A seeded market: contexts, advertisers, competitors and readers, with the truth kept apart."""

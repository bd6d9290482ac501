# SPDX-License-Identifier: Apache-2.0
"""The A/B experiment: the bidding brain against rules of thumb, on paired seeds."""

# SPDX-License-Identifier: Apache-2.0
"""Trains, measures and attacks the classifier of `policy_guard`."""

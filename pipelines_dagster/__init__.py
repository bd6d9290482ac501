# SPDX-License-Identifier: Apache-2.0
"""Data, training and promotion; the serving path imports nothing of it."""

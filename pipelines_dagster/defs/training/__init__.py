# SPDX-License-Identifier: Apache-2.0
"""Trainers: a gold dataset, a configuration and a seed in, a version in the store out."""

# SPDX-License-Identifier: Apache-2.0
"""Trained versions: the store that keeps their files, and the registry that knows their history."""

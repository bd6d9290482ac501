# SPDX-License-Identifier: Apache-2.0
"""Erasure by request: every layer, proven and written down. docs/gdpr.md."""

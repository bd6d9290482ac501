# SPDX-License-Identifier: Apache-2.0
"""From what was recorded to what models learn from: bronze -> silver -> gold. docs/datasets.md."""

# SPDX-License-Identifier: Apache-2.0
"""Which of an ad's tokens its predicted value comes from: `/v1/explain` (docs/explain.md)."""

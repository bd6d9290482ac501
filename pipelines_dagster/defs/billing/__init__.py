# SPDX-License-Identifier: Apache-2.0
"""Invoices out of the records, reconciled before anybody gets one. docs/billing.md."""

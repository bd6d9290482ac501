# SPDX-License-Identifier: Apache-2.0
"""A trained pricing policy as the model `session_price` (`bls.contracts.SESSION_PRICE`)."""

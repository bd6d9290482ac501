# SPDX-License-Identifier: Apache-2.0
"""The shop's side of the gateway: events and prices of sessions, scores, labels."""

# SPDX-License-Identifier: Apache-2.0
"""The summariser of chat windows: targets, HS-BART, the token-selection student, comparison."""

# SPDX-License-Identifier: Apache-2.0
"""From chat messages to the token rows of a reply."""

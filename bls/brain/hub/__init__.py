# SPDX-License-Identifier: Apache-2.0
"""The real-time feature hub: what a prediction remembers of a conversation's last tokens."""

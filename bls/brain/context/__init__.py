# SPDX-License-Identifier: Apache-2.0
"""Text to axis vectors: what a conversation or an ad is about, as 128 numbers of unit norm."""

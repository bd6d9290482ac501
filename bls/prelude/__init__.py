# SPDX-License-Identifier: Apache-2.0
"""Everything before the first token: guard, condense, encode, select, guard the ads."""

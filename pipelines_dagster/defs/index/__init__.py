# SPDX-License-Identifier: Apache-2.0
"""The index of creatives, built anew every night."""

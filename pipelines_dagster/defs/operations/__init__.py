# SPDX-License-Identifier: Apache-2.0
"""Operating the loop: what runs when, what is late, who is told."""

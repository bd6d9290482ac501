# SPDX-License-Identifier: Apache-2.0
"""What a session is asked for an item: a policy's multiplier between bounds, or the base price."""

# SPDX-License-Identifier: Apache-2.0
"""PHANTOM: shopping agents told from people by what they do, and prices that survive them."""

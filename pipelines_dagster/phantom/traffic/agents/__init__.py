# SPDX-License-Identifier: Apache-2.0
"""Drivers that act as shopping agents do: with a goal, and more patience than people."""

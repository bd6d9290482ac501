# SPDX-License-Identifier: Apache-2.0
"""Starts and stops the stack: a Triton server and the gateway, on loopback."""

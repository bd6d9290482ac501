# SPDX-License-Identifier: Apache-2.0
"""The life of one reply, free of Triton: `loop.run_reply` is the page to read first."""

# SPDX-License-Identifier: Apache-2.0
"""The only public face: an OpenAI-style HTTP API in front of Triton's `token_auction`."""

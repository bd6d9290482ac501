# SPDX-License-Identifier: Apache-2.0
"""Live traffic for a running server: chats, competitors who bid as the market does, readers."""

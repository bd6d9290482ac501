# SPDX-License-Identifier: Apache-2.0
"""The storefront: a small shop of hotels or flights beside the gateway (docs/shop.md).

A process of its own. It talks to the gateway over HTTP alone: quotes, events and chat.
"""

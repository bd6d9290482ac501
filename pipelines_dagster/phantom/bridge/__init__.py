# SPDX-License-Identifier: Apache-2.0
"""The bridge's experiment: what advertisers and models lose to agents, with and without it."""

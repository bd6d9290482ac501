# SPDX-License-Identifier: Apache-2.0
"""The benchmark of pricing policies over shares of agents: `skynet phantom bench`."""

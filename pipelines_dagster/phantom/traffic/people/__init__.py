# SPDX-License-Identifier: Apache-2.0
"""Person-like drivers: stochastic models of published browsing behaviour. Not people, and not
fitted to people: see docs/phantom_traffic.md."""

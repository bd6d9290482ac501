# SPDX-License-Identifier: Apache-2.0
"""PHANTOM's offline side: traffic, market, policies, benchmark."""

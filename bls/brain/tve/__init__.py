# SPDX-License-Identifier: Apache-2.0
"""Trajectory value, served: (context, ad text) to a value curve."""

# SPDX-License-Identifier: Apache-2.0
"""Live parameters and model pointers: a watched key store, values checked and signed."""

# SPDX-License-Identifier: Apache-2.0
"""How fast `select` answers, with a real database and index, through Triton."""

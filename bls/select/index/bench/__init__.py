# SPDX-License-Identifier: Apache-2.0
"""How well and how fast the indexes answer; `python -m bls.select.index.bench --help`."""

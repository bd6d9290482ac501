# SPDX-License-Identifier: Apache-2.0
"""Load shapes and benchmarks; every figure stands beside its bare floor from the same run."""

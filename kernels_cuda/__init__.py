# SPDX-License-Identifier: Apache-2.0
"""The token auction: C++ kernels, their ctypes wrapper and their float64 oracle."""

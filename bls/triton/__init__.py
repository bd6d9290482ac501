# SPDX-License-Identifier: Apache-2.0
"""The only modules that import `triton_python_backend_utils`: tensors in, tensors out."""

# SPDX-License-Identifier: Apache-2.0
"""Small ONNX models inside Triton Python models: loaded with checks, replaced while they serve."""

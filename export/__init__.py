# SPDX-License-Identifier: Apache-2.0
"""Export of the learned models: architecture, quantisation, ONNX, manifest, parity report."""

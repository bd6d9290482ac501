# SPDX-License-Identifier: Apache-2.0
"""Trajectory value: architecture, training, ONNX export and report of the model `tve`."""

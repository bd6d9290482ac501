# SPDX-License-Identifier: Apache-2.0
"""`agent_score`: how likely a shop session is an agent's, trained, judged and exported.

sessions.py   files in, sessions with a known actor out; their prefixes as tensors
kinds.py      K-means: an actor class as a few sub-kernels
inputs.py     what the classifier reads, in numpy: the graph's oracle
fitting.py    the classifier; calibrate.py its probabilities; fitted.py what comes out
graph.py      the same as ONNX; artefact.py the folder that is served
evaluate.py   folds, baselines, the published test, tables and plots; bench.py latency
"""

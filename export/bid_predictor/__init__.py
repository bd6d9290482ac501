# SPDX-License-Identifier: Apache-2.0
"""`bid_predictor`: the forecast of log W_-i of the next token, its training and its checks.

    python -m export.bid_predictor train --dataset DIR --out DIR [--seed N]
    python -m export.bid_predictor report --model DIR --dataset DIR ...
    python -m export.bid_predictor robustness --model DIR

`artefact` needs the standard library only; everything else needs the `pipelines` extra.
"""

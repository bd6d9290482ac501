# SPDX-License-Identifier: Apache-2.0
"""Incentives, measured on real replies: what an advertiser could gain by not telling the truth.

The value model throughout: a token t is worth v_i P_i(t) to advertiser i, v_i its true weight.
"""

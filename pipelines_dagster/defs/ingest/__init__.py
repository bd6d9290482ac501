# SPDX-License-Identifier: Apache-2.0
"""Kafka to the bronze tables of the lake, every event exactly once; see docs/lake.md."""

# SPDX-License-Identifier: Apache-2.0
"""The relay: a process beside the server that ships its log folder to Kafka (docs/events.md)."""

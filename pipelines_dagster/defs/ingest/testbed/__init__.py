# SPDX-License-Identifier: Apache-2.0
"""What ingest is tried on: a broker, a store that fails on command, events."""

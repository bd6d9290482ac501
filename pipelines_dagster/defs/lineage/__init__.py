# SPDX-License-Identifier: Apache-2.0
"""From a model back to the Kafka offsets it was made of. docs/lineage.md."""

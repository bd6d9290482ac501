# SPDX-License-Identifier: Apache-2.0
"""Events: Avro schemas, and the way from a server's log folder to Kafka without holding it up."""

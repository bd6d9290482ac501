# SPDX-License-Identifier: Apache-2.0
"""`make bench`: one module per question, one table, one JSON file."""

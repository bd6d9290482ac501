# SPDX-License-Identifier: Apache-2.0
"""The whole circle once, as a rehearsal to watch: traffic, lake, models, live traffic."""

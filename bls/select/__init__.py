# SPDX-License-Identifier: Apache-2.0
"""Which creatives take part in a reply: index, value mixer, gates, exploration."""

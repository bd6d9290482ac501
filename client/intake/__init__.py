# SPDX-License-Identifier: Apache-2.0
"""From a file of products to creatives: read, worded, judged, embedded, stored."""

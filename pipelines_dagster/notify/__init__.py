# SPDX-License-Identifier: Apache-2.0
"""What the pipelines tell people: notices to a webhook, log streams, gauges in text files."""

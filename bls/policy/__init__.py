# SPDX-License-Identifier: Apache-2.0
"""The output policy filter: what may be said, judged on the emerging text. See README.md."""

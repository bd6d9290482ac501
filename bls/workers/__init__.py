# SPDX-License-Identifier: Apache-2.0
"""What processes beside a server have in common: how they are started, and how often again."""

# SPDX-License-Identifier: Apache-2.0
"""Everything a person or a program talks to: gateway, thin client, `skynet` command."""

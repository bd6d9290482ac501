# SPDX-License-Identifier: Apache-2.0
"""What is older than it may be goes every night. docs/gdpr.md."""

# SPDX-License-Identifier: Apache-2.0
"""What may enter a prompt: personal data out, unsafe texts and ads judged."""

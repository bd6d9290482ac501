# SPDX-License-Identifier: Apache-2.0
"""What the selection is worth: ranking on labelled pairs, when an ad is shown, value lost."""

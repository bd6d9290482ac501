# SPDX-License-Identifier: Apache-2.0
"""Everything that runs inside the Triton models: the reply loop and its stages."""

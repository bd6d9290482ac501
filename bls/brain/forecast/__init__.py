# SPDX-License-Identifier: Apache-2.0
"""What surrounds a forecast in the reply: the last one held, the circuit, the checks on it."""

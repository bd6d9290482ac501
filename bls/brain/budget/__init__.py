# SPDX-License-Identifier: Apache-2.0
"""Campaign budgets for pacing: integer micro-units, reserved before they are spent.

    reserve (a reply begins) -> deliver (each paid token) -> commit or release (it ends)

`spent + reserved <= budget` at all times; what cannot be known counts as no budget.
"""

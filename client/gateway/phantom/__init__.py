# SPDX-License-Identifier: Apache-2.0
"""What the gateway does for shops: events and prices taken in, sessions kept, quotes given."""

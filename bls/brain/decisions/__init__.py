# SPDX-License-Identifier: Apache-2.0
"""`mpc.decisions`: what the controller decided, from what, and the proof that it did."""

# SPDX-License-Identifier: Apache-2.0
"""Starts and stops the stack: a Triton server and the gateway, on loopback.

Children are forked while our own gRPC client is open. Its fork handlers would revive its poller in
the child, which then dies (SIGABRT) of the descriptors that are closed before exec; the library
reads this variable once, when it is first imported.
"""

import os

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

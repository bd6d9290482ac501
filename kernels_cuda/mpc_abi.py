# SPDX-License-Identifier: Apache-2.0
"""The C interface of libskynet_mpc.so in ctypes."""

from __future__ import annotations

import ctypes
from pathlib import Path

LIBRARY = Path(__file__).parent / "build" / "libskynet_mpc.so"


def load(library: Path = LIBRARY) -> ctypes.CDLL:
    """Load the library. Raises FileNotFoundError when it is not built."""
    if not library.exists():
        raise FileNotFoundError(f"{library.name} is not built: run make -C kernels_cuda")
    lib = ctypes.CDLL(str(library))
    pointer, integer = ctypes.c_void_p, ctypes.c_int32
    lib.skynet_mpc_decide.argtypes = [integer, integer, *[pointer] * 6]
    lib.skynet_mpc_curve.argtypes = [integer, pointer, pointer, integer, *[pointer] * 3]
    lib.skynet_mpc_path.argtypes = [integer]
    lib.skynet_mpc_message.argtypes = [integer]
    lib.skynet_mpc_message.restype = ctypes.c_char_p
    return lib

# SPDX-License-Identifier: Apache-2.0
"""The C interface of libskynet_auction.so: the structs of auction_contract.h in ctypes."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np

LIBRARY = Path(__file__).parent / "build" / "libskynet_auction.so"


class DrawKey(ctypes.Structure):
    _fields_ = [
        ("seed", ctypes.c_uint64),
        ("conv", ctypes.c_uint64),
        ("index", ctypes.c_uint64),
    ]


class Input(ctypes.Structure):
    _fields_ = [
        ("logits", ctypes.c_void_p),
        ("weights", ctypes.c_void_p),
        ("row_stride", ctypes.c_int64),
        ("rows", ctypes.c_int32),
        ("vocab", ctypes.c_int32),
        ("type", ctypes.c_int32),
        ("temperature", ctypes.c_float),
        ("draw", DrawKey),
        ("mode", ctypes.c_int32),
    ]


class Reply(ctypes.Structure):
    _fields_ = [
        ("margin", ctypes.c_double),
        ("blend", ctypes.c_double),
        ("token", ctypes.c_int32),
        ("ref_token", ctypes.c_int32),
        ("near_tie", ctypes.c_int32),
        ("precise", ctypes.c_int32),
        ("drawn_row", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
    ]


class Top(ctypes.Structure):
    _fields_ = [("id", ctypes.c_void_p), ("logit", ctypes.c_void_p)]


ROW = np.dtype(
    [
        ("p_token", np.float64),
        ("pay", np.float64),
        ("critical_bid", np.float64),
        ("log_z", np.float64),
        ("w_minus", np.float32),
        ("status", np.int32),
    ]
)


def load(library: Path = LIBRARY) -> ctypes.CDLL:
    """Load the library and check that its structs are the ones declared here."""
    if not library.exists():
        raise FileNotFoundError(f"{library.name} is not built: run make -C kernels_cuda")
    lib = ctypes.CDLL(str(library))
    pointer, integer = ctypes.c_void_p, ctypes.c_int32
    lib.skynet_auction_new.restype = pointer
    lib.skynet_auction_free.argtypes = [pointer]
    lib.skynet_auction_run.argtypes = [pointer, integer, pointer, pointer, pointer, pointer]
    lib.skynet_auction_draws.argtypes = [pointer, integer, pointer, integer, pointer]
    lib.skynet_auction_blend.argtypes = [pointer, integer, pointer, pointer]
    lib.skynet_auction_path.argtypes = [integer]
    lib.skynet_auction_message.argtypes = [integer]
    lib.skynet_auction_message.restype = ctypes.c_char_p
    sizes = (integer * 4)()
    lib.skynet_auction_sizes(sizes)
    expected = [ctypes.sizeof(Input), ctypes.sizeof(Reply), ROW.itemsize, ctypes.sizeof(Top)]
    if list(sizes) != expected:
        raise ImportError(f"auction library: expected structs {expected}, got {list(sizes)}")
    return lib

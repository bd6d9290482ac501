# SPDX-License-Identifier: Apache-2.0
"""A small writer for ONNX graphs whose weights stream into one external data file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

MICROSOFT = "com.microsoft"
OPSET = 21
_IR_VERSION = 10
_ALIGN = 64
_INLINE_BYTES = 1024


class OnnxWriter:
    """Collects nodes and weights; arrays over 1 KiB go to `<model>.data` as they are added."""

    def __init__(self, model_path: Path) -> None:
        self._path = model_path
        self._data_path = model_path.with_name(model_path.name + ".data")
        self._data = self._data_path.open("wb")
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: int, shape: Sequence[int | str]) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(self, name: str, dtype: int, shape: Sequence[int | str]) -> None:
        self._outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def weight(self, name: str, array: npt.NDArray[Any]) -> str:
        """Add an initializer once; asking again by the same name returns the first."""
        if name not in self._weights:
            small = array.nbytes <= _INLINE_BYTES
            self._weights[name] = (
                numpy_helper.from_array(array, name) if small else self._external(name, array)
            )
        return name

    def ints(self, *values: int) -> str:
        """A constant int64 vector, shared by value."""
        name = "ints_" + "_".join(str(value).replace("-", "m") for value in values)
        return self.weight(name, np.array(values, np.int64))

    def node(
        self,
        op: str,
        inputs: Sequence[str],
        name: str,
        outputs: Sequence[str] | None = None,
        domain: str = "",
        **attributes: Any,
    ) -> str:
        """Append a node called `name`; returns its first output (`name` unless given)."""
        outputs = [name] if outputs is None else outputs
        self._nodes.append(
            helper.make_node(op, inputs, outputs, name=name, domain=domain, **attributes)
        )
        return outputs[0]

    def save(self, graph_name: str) -> None:
        """Write the model beside its data file."""
        self._data.close()
        graph = helper.make_graph(
            self._nodes, graph_name, self._inputs, self._outputs, list(self._weights.values())
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(
            graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="skynet-export"
        )
        self._path.write_bytes(model.SerializeToString(deterministic=True))

    def close(self) -> None:
        """Release the data file; safe to call twice."""
        self._data.close()

    def _external(self, name: str, array: npt.NDArray[Any]) -> TensorProto:
        self._data.write(bytes(-self._data.tell() % _ALIGN))
        offset = self._data.tell()
        self._data.write(np.ascontiguousarray(array).data)
        tensor = TensorProto(
            name=name,
            data_type=helper.np_dtype_to_tensor_dtype(array.dtype),
            dims=array.shape,
            data_location=TensorProto.EXTERNAL,
        )
        where = {"location": self._data_path.name, "offset": offset, "length": array.nbytes}
        for key, value in where.items():
            tensor.external_data.add(key=key, value=str(value))
        return tensor

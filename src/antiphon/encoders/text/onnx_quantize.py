"""8 bit products for an exported text encoder that reads many texts.

MatMulInteger, which onnxruntime fuses with what stands around it, has one scale per column of weights and one per
tensor of activations. The second layer of each feed-forward network stays in 32 bits, because its inputs have outliers
that one scale for all does not fit: on all-MiniLM-L6-v2 the mean cosine is .997 with this exception and .993 without.
A CPU without 8 bit dot products (VNNI) adds two products in 16 bits, which saturates: there the weights have 7 bits,
whose products fit.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.encoders.text.precision import has_vnni

Arrays = dict[str, NDArray[Any]]


def quantise(proto: Any) -> None:
    """Multiply in 8 bits where a matrix does not narrow, in place."""
    helper, weights = importlib.import_module("onnx").helper, _matrices(proto)
    added: Arrays = {}
    nodes: list[Any] = []
    quantised: set[str] = set()
    for node in proto.graph.node:
        weight = weights.get(node.input[1]) if node.op_type == "MatMul" else None
        if weight is None or weight.shape[0] > weight.shape[1]:
            nodes.append(node)
            continue
        source, name = node.input[0], node.input[1]
        if source not in quantised:  # queries, keys and values read the same states
            quantised.add(source)
            outputs = [f"{source}.levels", f"{source}.scale", f"{source}.zero"]
            nodes.append(helper.make_node("DynamicQuantizeLinear", [source], outputs))
        levels, scales = _levels(weight.T, 127 if has_vnni() else 63)
        added[f"{name}.levels"] = np.ascontiguousarray(levels.T).astype(np.int8)
        added[f"{name}.scales"] = scales.reshape(-1)
        nodes.extend(_matmul_by_columns(helper, node))
    _replace(proto, nodes, added)


def _matrices(proto: Any) -> Arrays:
    onnx = importlib.import_module("onnx")
    return {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for tensor in proto.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 2
    }


def _replace(proto: Any, nodes: list[Any], added: Arrays) -> None:
    """Give the graph these nodes, and the weights that they use."""
    numpy_helper = importlib.import_module("onnx").numpy_helper
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in proto.graph.initializer if tensor.name in used]
    del proto.graph.node[:], proto.graph.initializer[:]
    proto.graph.node.extend(nodes)
    proto.graph.initializer.extend([*kept, *(numpy_helper.from_array(array, name) for name, array in added.items())])


def _matmul_by_columns(helper: Any, node: Any) -> list[Any]:
    source, name, out = node.input[0], node.input[1], node.output[0]
    integer = [f"{source}.levels", f"{name}.levels", f"{source}.zero"]
    return [
        helper.make_node("MatMulInteger", integer, [f"{out}.integer"]),
        helper.make_node("Mul", [f"{source}.scale", f"{name}.scales"], [f"{out}.scale"]),
        helper.make_node("Cast", [f"{out}.integer"], [f"{out}.float"], to=1),
        helper.make_node("Mul", [f"{out}.float", f"{out}.scale"], [out]),
    ]


def _levels(values: NDArray[Any], most: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Whole numbers in [-most, most] and one scale per row of the last axis, with values = levels * scales; float32."""
    scales = np.abs(values).max(axis=-1, keepdims=True) / np.float32(most)
    levels = np.rint(np.divide(values, scales, out=np.zeros_like(values), where=scales > 0))
    return levels.astype(np.float32), scales.astype(np.float32)

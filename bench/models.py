#!/usr/bin/env python3
"""Makes the models and the requests that bench/pair.py sends.

usage: models.py OUTDIR

identity.onnx   FP32 [-1, 256] to itself: 1 KB a row; a run of it costs next to nothing
wide.onnx       FP32 [-1, 150000] to itself: 600 KB a row
work.onnx       FP32 [-1, 256] through products of matrices: about 1 ms a row on one core
NAME.request    a binary request of one row to NAME, as bytes to send
wide_json.request   one row of 150,000 floats as JSON
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WORK_TURNS = 160
WIDTH, WIDE = 256, 150000


def save(path, nodes, width, weights=()):
    shape = [-1, width]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)], list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)


def work(path):
    random = np.random.default_rng(7)
    w = numpy_helper.from_array(
        (random.standard_normal((WIDTH, WIDTH)) / 16).astype(np.float32), "w")
    nodes, last = [], "x"
    for i in range(WORK_TURNS):
        out = "y" if i == WORK_TURNS - 1 else f"v{i}"
        nodes += [helper.make_node("MatMul", [last, "w"], [f"m{i}"]),
                  helper.make_node("Tanh", [f"m{i}"], [out])]
        last = out
    save(path, nodes, WIDTH, [w])


def post(model, body, fields=()):
    lines = [f"POST /v2/models/{model}/infer HTTP/1.1", "Host: 127.0.0.1", "User-Agent: bench",
             *fields, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def binary(model, width):
    row = np.random.default_rng(11).standard_normal(width).astype("<f4").tobytes()
    head = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, width],
                                   "parameters": {"binary_data_size": len(row)}}],
                       "parameters": {"binary_data_output": True}}).encode()
    return post(model, head + row, ["Content-Type: application/octet-stream",
                                    f"Inference-Header-Content-Length: {len(head)}"])


def text(model, width):
    row = np.random.default_rng(11).standard_normal(width).astype("<f4")
    data = ",".join(str(v) for v in row)
    body = (f'{{"inputs":[{{"name":"x","datatype":"FP32","shape":[1,{width}],'
            f'"data":[{data}]}}]}}').encode()
    return post(model, body, ["Content-Type: application/json"])


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    same = [helper.make_node("Identity", ["x"], ["y"])]
    save(out / "identity.onnx", same, WIDTH)
    save(out / "wide.onnx", same, WIDE)
    work(out / "work.onnx")
    (out / "identity.request").write_bytes(binary("identity", WIDTH))
    (out / "wide.request").write_bytes(binary("wide", WIDE))
    (out / "work.request").write_bytes(binary("work", WIDTH))
    (out / "wide_json.request").write_bytes(text("wide", WIDE))


if __name__ == "__main__":
    main()

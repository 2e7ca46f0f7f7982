#!/usr/bin/env python3
"""Makes the ONNX models that tests load, and what ONNX Runtime says they answer.

usage: make.py OUTDIR [NAME...]

Each NAME becomes OUTDIR/NAME.onnx (external data beside it) and, where it can be run here,
OUTDIR/NAME.npz: arrays `in.<input>` and `out.<output>`, made with the session options of the
worker (BYTES as arrays of Python bytes), and the same for tests in C as OUTDIR/NAME.tensors:
inputs, then outputs, in the model's order, each as io (0 or 1), length of name, ONNX type and rank
as uint32, name, dims as int64, bytes as uint64, and those bytes as the protocol has them.
Nothing is fetched and all numbers follow from a fixed seed, so two runs with the same packages
make the same files.
"""

import struct
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto as T
from onnx import helper, numpy_helper

OPSET = 17
ROWS = 7


def tensor(name, dtype, shape):
    return helper.make_tensor_value_info(name, dtype, shape)


def model(nodes, inputs, outputs, initializers=(), functions=(), domains=(), opset=OPSET):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers))
    imports = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, v) for d, v in domains]
    made = helper.make_model(graph, opset_imports=imports, functions=list(functions))
    made.ir_version = 8
    return made


def constant(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def random(seed=7):
    return np.random.default_rng(seed)


def same_rows(name, dtype, columns):
    return model([helper.make_node("Identity", ["INPUT0"], ["OUTPUT0"])],
                 [tensor("INPUT0", dtype, [-1, columns])], [tensor("OUTPUT0", dtype, [-1, columns])])


def identity():
    """1 KB a row of FP32."""
    x = random().standard_normal((ROWS, 256)).astype(np.float32)
    return same_rows("identity", T.FLOAT, 256), {"INPUT0": x}


def simple():
    """Sum and difference of two INT32 rows of 16: the habit of Triton's examples."""
    a = np.arange(16, dtype=np.int32).reshape(1, 16).repeat(ROWS, 0)
    b = np.ones((ROWS, 16), np.int32)
    ends = [tensor(n, T.INT32, [-1, 16]) for n in ("INPUT0", "INPUT1", "OUTPUT0", "OUTPUT1")]
    return model([helper.make_node("Add", ["INPUT0", "INPUT1"], ["OUTPUT0"]),
                  helper.make_node("Sub", ["INPUT0", "INPUT1"], ["OUTPUT1"])],
                 ends[:2], ends[2:]), {"INPUT0": a, "INPUT1": b}


def simple_string():
    """The same with decimal strings."""
    a = np.array([[str(i) for i in range(16)]] * 2, object)
    b = np.array([["1"] * 16] * 2, object)
    nodes = []
    for i in (0, 1):
        nodes.append(helper.make_node("Cast", [f"INPUT{i}"], [f"i{i}"], to=T.INT32))
    nodes.append(helper.make_node("Add", ["i0", "i1"], ["s"]))
    nodes.append(helper.make_node("Sub", ["i0", "i1"], ["d"]))
    nodes.append(helper.make_node("Cast", ["s"], ["OUTPUT0"], to=T.STRING))
    nodes.append(helper.make_node("Cast", ["d"], ["OUTPUT1"], to=T.STRING))
    ends = [tensor(n, T.STRING, [-1, 16]) for n in ("INPUT0", "INPUT1", "OUTPUT0", "OUTPUT1")]
    return model(nodes, ends[:2], ends[2:]), {"INPUT0": a, "INPUT1": b}


DTYPES = {
    "bool": (T.BOOL, np.bool_), "uint8": (T.UINT8, np.uint8), "uint16": (T.UINT16, np.uint16),
    "uint32": (T.UINT32, np.uint32), "uint64": (T.UINT64, np.uint64), "int8": (T.INT8, np.int8),
    "int16": (T.INT16, np.int16), "int32": (T.INT32, np.int32), "int64": (T.INT64, np.int64),
    "fp16": (T.FLOAT16, np.float16), "fp32": (T.FLOAT, np.float32), "fp64": (T.DOUBLE, np.float64),
    "bf16": (T.BFLOAT16, None), "bytes": (T.STRING, object),
}


def sample(name):
    dtype = DTYPES[name][1]
    if name == "bytes":
        return np.array([["", "a", "\u00e9"], ["x" * 300, "0", "1.5"]], object)
    if name == "bf16":
        return np.array([[0x3F80, 0xFF7F, 0x0001], [0x7FC1, 0x7F80, 0x8000]], np.uint16)
    if name == "bool":
        return np.array([[True, False, True], [False, True, True]])
    if np.issubdtype(dtype, np.integer):
        i = np.iinfo(dtype)
        return np.array([[i.min, i.max, 0], [1, 2, 3]], dtype)
    i = np.finfo(dtype)
    return np.array([[i.min, i.max, i.tiny], [np.nan, np.inf, -0.0]], dtype)


def identity_of(name):
    def make():
        x = sample(name)
        return same_rows(name, DTYPES[name][0], -1), {"INPUT0": x}
    make.__doc__ = f"Identity of {name.upper()} [-1,-1]."
    return make


def matmul_fp16():
    r = random()
    w = constant("w", (r.standard_normal((16, 8)) / 4).astype(np.float16))
    x = r.standard_normal((ROWS, 16)).astype(np.float16)
    return model([helper.make_node("MatMul", ["x", "w"], ["y"])], [tensor("x", T.FLOAT16, [-1, 16])],
                 [tensor("y", T.FLOAT16, [-1, 8])], [w]), {"x": x}


def matmul():
    """FP32, for stacking: a row does not know its neighbours."""
    r = random()
    w = constant("w", (r.standard_normal((64, 32)) / 8).astype(np.float32))
    x = r.standard_normal((ROWS, 64)).astype(np.float32)
    return model([helper.make_node("MatMul", ["x", "w"], ["y"])], [tensor("x", T.FLOAT, [-1, 64])],
                 [tensor("y", T.FLOAT, [-1, 32])], [w]), {"x": x}


def zipmap_model(op, labels, classes=3):
    """Softmax of a linear layer, then ZipMap, as skl2onnx ends a classifier."""
    r = random()
    w = constant("w", r.standard_normal((4, classes)).astype(np.float32))
    label = helper.make_tensor_value_info("label", T.INT64, [-1])
    key = T.STRING if op == "classlabels_strings" else T.INT64
    maps = helper.make_value_info("probabilities", helper.make_sequence_type_proto(
        helper.make_map_type_proto(key, helper.make_tensor_type_proto(T.FLOAT, []))))
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]),
             helper.make_node("Softmax", ["z"], ["p"], axis=1),
             helper.make_node("ArgMax", ["z"], ["label"], axis=1, keepdims=0),
             helper.make_node("ZipMap", ["p"], ["probabilities"], domain="ai.onnx.ml",
                              **{op: labels})]
    x = r.standard_normal((ROWS, 4)).astype(np.float32)
    return model(nodes, [tensor("x", T.FLOAT, [-1, 4])], [label, maps], [w],
                 domains=[("ai.onnx.ml", 1)]), {"x": x}


def zipmap_int64():
    """Labels that are not in order, one of them negative."""
    return zipmap_model("classlabels_int64s", [10, -3, 2])


def zipmap_string():
    return zipmap_model("classlabels_strings", ["setosa", "\u00e9toile", "a"])


def sequence_output():
    """A sequence that no ZipMap made: refused with the fix."""
    out = helper.make_value_info("parts", helper.make_sequence_type_proto(
        helper.make_tensor_type_proto(T.FLOAT, None)))
    return model([helper.make_node("SplitToSequence", ["x"], ["parts"], axis=0)],
                 [tensor("x", T.FLOAT, [-1, 4])], [out]), None


def forest(kind):
    def make():
        from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
        from skl2onnx import to_onnx
        r = random()
        x = r.standard_normal((200, 6)).astype(np.float32)
        y = x[:, 0] + x[:, 1] * x[:, 2]
        if kind == "regressor":
            fit = GradientBoostingRegressor(n_estimators=20, random_state=1).fit(x, y)
        else:
            fit = GradientBoostingClassifier(n_estimators=20, random_state=1).fit(
                x, np.where(y > 0, "yes", "no") if kind == "strings" else (y > 0).astype(np.int64))
        return to_onnx(fit, x[:1], target_opset=OPSET), {"X": x[:ROWS]}
    make.__doc__ = f"skl2onnx defaults, gradient boosting, {kind}."
    return make


def lstm():
    """Sequence first: dim 0 is free, and its rows depend on each other."""
    r = random()
    hidden = 5
    w = constant("w", (r.standard_normal((1, 4 * hidden, 3)) / 2).astype(np.float32))
    u = constant("u", (r.standard_normal((1, 4 * hidden, hidden)) / 2).astype(np.float32))
    nodes = [helper.make_node("LSTM", ["x", "w", "u"], ["s"], hidden_size=hidden),
             helper.make_node("Squeeze", ["s", "one"], ["y"])]
    return model(nodes, [tensor("x", T.FLOAT, [-1, 1, 3])], [tensor("y", T.FLOAT, [-1, 1, hidden])],
                 [w, u, constant("one", np.array([1], np.int64))]), {
                     "x": r.standard_normal((ROWS, 1, 3)).astype(np.float32)}


def mean_rows():
    """Every row less the mean of all rows."""
    return model([helper.make_node("ReduceMean", ["x"], ["m"], axes=[0], keepdims=1),
                  helper.make_node("Sub", ["x", "m"], ["y"])], [tensor("x", T.FLOAT, [-1, 4])],
                 [tensor("y", T.FLOAT, [-1, 4])]), {
                     "x": random().standard_normal((ROWS, 4)).astype(np.float32)}


def spin():
    """Loops n times over a product of two 128 x 128 matrices: about 0.1 ms a turn."""
    r = random()
    w = constant("w", (r.standard_normal((128, 128)) / 12).astype(np.float32))
    body = helper.make_graph(
        [helper.make_node("MatMul", ["v", "w"], ["z"]), helper.make_node("Tanh", ["z"], ["v2"]),
         helper.make_node("Identity", ["c"], ["c2"])], "b",
        [tensor("i", T.INT64, []), tensor("c", T.BOOL, []), tensor("v", T.FLOAT, [128, 128])],
        [tensor("c2", T.BOOL, []), tensor("v2", T.FLOAT, [128, 128])])
    nodes = [helper.make_node("Squeeze", ["n"], ["n0"]),
             helper.make_node("Loop", ["n0", "yes", "start"], ["v3"], body=body),
             helper.make_node("ReduceSum", ["v3"], ["y"], keepdims=0)]
    start = constant("start", r.standard_normal((128, 128)).astype(np.float32))
    return model(nodes, [tensor("n", T.INT64, [1])], [tensor("y", T.FLOAT, [])],
                 [w, start, constant("yes", np.array(True))]), {"n": np.array([3], np.int64)}


def endless():
    """Loops 2^62 times whatever comes in: also in the first run of a load."""
    body = helper.make_graph(
        [helper.make_node("Sin", ["v"], ["v2"]), helper.make_node("Identity", ["c"], ["c2"])], "b",
        [tensor("i", T.INT64, []), tensor("c", T.BOOL, []), tensor("v", T.FLOAT, [-1, 4])],
        [tensor("c2", T.BOOL, []), tensor("v2", T.FLOAT, [-1, 4])])
    return model([helper.make_node("Loop", ["n", "yes", "x"], ["y"], body=body)],
                 [tensor("x", T.FLOAT, [-1, 4])], [tensor("y", T.FLOAT, [-1, 4])],
                 [constant("n", np.array(1 << 62)), constant("yes", np.array(True))]), None


def bomb():
    """Allocates 4 x n bytes: n elements of a constant, summed."""
    nodes = [helper.make_node("ConstantOfShape", ["n"], ["big"],
                              value=helper.make_tensor("v", T.FLOAT, [1], [1.0])),
             helper.make_node("ReduceSum", ["big"], ["y"], keepdims=0)]
    return model(nodes, [tensor("n", T.INT64, [1])], [tensor("y", T.FLOAT, [])]), {
        "n": np.array([1000], np.int64)}


def bomb_load():
    """Folds 2^36 elements while it loads."""
    nodes = [helper.make_node("ConstantOfShape", ["n"], ["big"],
                              value=helper.make_tensor("v", T.FLOAT, [1], [1.0])),
             helper.make_node("ReduceSum", ["big"], ["s"], keepdims=0),
             helper.make_node("Add", ["x", "s"], ["y"])]
    return model(nodes, [tensor("x", T.FLOAT, [-1, 4])], [tensor("y", T.FLOAT, [-1, 4])],
                 [constant("n", np.array([1 << 36], np.int64))]), None


def external():
    """Two initializers in one file, one with an offset."""
    r = random()
    w = (r.standard_normal((8, 8)) / 3).astype(np.float32)
    b = r.standard_normal(8).astype(np.float32)
    made = model([helper.make_node("MatMul", ["x", "w"], ["z"]),
                  helper.make_node("Add", ["z", "b"], ["y"])], [tensor("x", T.FLOAT, [-1, 8])],
                 [tensor("y", T.FLOAT, [-1, 8])], [constant("w", w), constant("b", b)])
    return made, {"x": r.standard_normal((ROWS, 8)).astype(np.float32)}


def external_escape():
    """Names a file outside its directory: refused."""
    made = model([helper.make_node("Add", ["x", "w"], ["y"])], [tensor("x", T.FLOAT, [-1, 4])],
                 [tensor("y", T.FLOAT, [-1, 4])])
    w = T(name="w", data_type=T.FLOAT, dims=[4], data_location=T.EXTERNAL)
    for key, value in (("location", "../../etc/passwd"), ("offset", "0"), ("length", "16")):
        w.external_data.add(key=key, value=value)
    made.graph.initializer.append(w)
    return made, None


def scalar():
    """Rank 0 in and out."""
    return model([helper.make_node("Add", ["a", "b"], ["y"])],
                 [tensor("a", T.FLOAT, []), tensor("b", T.FLOAT, [])], [tensor("y", T.FLOAT, [])]), {
                     "a": np.array(1.5, np.float32), "b": np.array(2, np.float32)}


def nonzero():
    """Positions of what is not 0: as many rows as there are, or none."""
    return model([helper.make_node("NonZero", ["x"], ["t"]),
                  helper.make_node("Transpose", ["t"], ["y"])], [tensor("x", T.FLOAT, [-1])],
                 [tensor("y", T.INT64, [-1, 1])]), {"x": np.zeros(3, np.float32)}


def default_input():
    """An input with a default, which a caller may leave out."""
    made = model([helper.make_node("Mul", ["x", "scale"], ["y"])],
                 [tensor("x", T.FLOAT, [-1, 4]), tensor("scale", T.FLOAT, [1])],
                 [tensor("y", T.FLOAT, [-1, 4])], [constant("scale", np.array([3], np.float32))])
    return made, {"x": np.arange(8, dtype=np.float32).reshape(2, 4)}


def gather():
    """Fails on an index outside 0..3, as embeddings do."""
    table = constant("table", np.arange(4, dtype=np.float32).reshape(4, 1))
    return model([helper.make_node("Gather", ["table", "i"], ["y"])], [tensor("i", T.INT64, [-1])],
                 [tensor("y", T.FLOAT, [-1, 1])], [table]), {"i": np.array([3, 0], np.int64)}


def chain(depth):
    """Functions that call each other: at 3,000 runtimes before 1.32 die by SIGSEGV."""
    def make():
        functions = []
        imports = [helper.make_opsetid("", OPSET), helper.make_opsetid("f", 1)]
        for i in range(depth):
            call = (helper.make_node(f"F{i + 1}", ["a"], ["b"], domain="f") if i + 1 < depth
                    else helper.make_node("Neg", ["a"], ["b"]))
            functions.append(helper.make_function("f", f"F{i}", ["a"], ["b"], [call], imports))
        x = {"x": np.ones((2, 4), np.float32)} if depth < 100 else None
        return model([helper.make_node("F0", ["x"], ["y"], domain="f")],
                     [tensor("x", T.FLOAT, [-1, 4])], [tensor("y", T.FLOAT, [-1, 4])],
                     functions=functions, domains=[("f", 1)]), x
    make.__doc__ = f"A chain of {depth} functions."
    return make


MODELS = {
    "identity": identity, "simple": simple, "simple_string": simple_string,
    **{f"identity_{n}": identity_of(n) for n in DTYPES},
    "matmul": matmul, "matmul_fp16": matmul_fp16, "zipmap_int64": zipmap_int64,
    "zipmap_string": zipmap_string, "sequence_output": sequence_output,
    "boost_int64": forest("int64"), "boost_string": forest("strings"),
    "regressor": forest("regressor"), "lstm": lstm, "mean_rows": mean_rows, "spin": spin,
    "endless": endless, "bomb": bomb, "bomb_load": bomb_load, "external": external,
    "external_escape": external_escape, "scalar": scalar, "nonzero": nonzero,
    "default_input": default_input, "gather": gather, "chain_8": chain(8),
    "chain_3000": chain(3000),
}


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def save(out, name, made):
    path = out / f"{name}.onnx"
    if name == "external":
        onnx.save(made, path, save_as_external_data=True, all_tensors_to_one_file=True,
                  location="external.bin", size_threshold=0, convert_attribute=False)
    else:
        path.write_bytes(made.SerializeToString(deterministic=True))
    return path


def expected(path, made, inputs):
    if path.stem == "identity_bf16":  # numpy has no such type
        return {"OUTPUT0": inputs["INPUT0"]}
    ran = session(path)
    names = [o.name for o in ran.get_outputs()]
    answers = dict(zip(names, ran.run(names, inputs)))
    for node in made.graph.node:
        if node.op_type == "ZipMap":
            labels = [v for a in node.attribute for v in (list(a.strings) or list(a.ints))]
            labels = [v.decode() if isinstance(v, bytes) else v for v in labels]
            rows = answers[node.output[0]]
            answers[node.output[0]] = np.array([[r[v] for v in labels] for r in rows], np.float32)
    return answers


def bytes_of(array):
    array = np.asarray(array)
    if array.dtype != object and array.dtype.kind != "U":
        return array
    flat = [v.encode() if isinstance(v, str) else v for v in array.reshape(-1)]
    made = np.empty(len(flat), object)
    made[:] = flat
    return made.reshape(array.shape)


def onnx_type(info):
    return info.type.tensor_type.elem_type or T.FLOAT  # ZipMap's maps are read as FP32


def wire(array):
    if array.dtype != object:
        return np.ascontiguousarray(array).tobytes()
    return b"".join(struct.pack("<I", len(v)) + v for v in array.reshape(-1))


def tensors(made, arrays):
    out = bytearray()
    for io, prefix, infos in ((0, "in.", made.graph.input), (1, "out.", made.graph.output)):
        for info in infos:
            if prefix + info.name not in arrays:
                continue
            array, name = arrays[prefix + info.name], info.name.encode()
            data = wire(array)
            out += struct.pack("<4I", io, len(name), onnx_type(info), array.ndim) + name
            out += struct.pack(f"<{array.ndim}qQ", *array.shape, len(data)) + data
    return bytes(out)


def main(args):
    if not args or args[0].startswith("-"):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    out = Path(args[0])
    out.mkdir(parents=True, exist_ok=True)
    for name in args[1:] or MODELS:
        made, inputs = MODELS[name]()
        path = save(out, name, made)
        if inputs is None:
            continue
        arrays = {f"in.{k}": bytes_of(v) for k, v in inputs.items()}
        arrays |= {f"out.{k}": bytes_of(v) for k, v in expected(path, made, inputs).items()}
        (out / f"{name}.tensors").write_bytes(tensors(made, arrays))
        np.savez(out / f"{name}.npz", **arrays)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

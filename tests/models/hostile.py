#!/usr/bin/env python3
"""Makes models that mean harm, and for each a benign twin of the same form.

usage: hostile.py OUTDIR [ID...]    makes OUTDIR/ID/model.onnx with what it names beside it

Rows are in tests/data/models/hostile.tsv. `OUTDIR/marker.bin` holds MARKER, whose bytes no model
may ever show: read as FP32 they are lawful weights, so a model that gets at them answers with them.
Files are made without the checks of the onnx package: what is wanted is often what it refuses.
"""

import csv
import os
import random
import sys
from pathlib import Path

import numpy as np
from onnx import AttributeProto, GraphProto, NodeProto, SparseTensorProto
from onnx import TensorProto as T
from onnx import ValueInfoProto, helper

from make import MODELS, constant, model, tensor

TABLE = Path(__file__).resolve().parents[1] / "data" / "models" / "hostile.tsv"
MARKER = b"GARRISON-MARKER-"  # four FP32 numbers; no NaN, none that arithmetic with 0 changes
LAST = (1 << 63) - 1


def x_in(shape=(-1, 4), kind=T.FLOAT):
    return [tensor("x", kind, list(shape))]


def y_out(shape=(-1, 4), kind=T.FLOAT):
    return [tensor("y", kind, list(shape))]


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs, outputs, **attributes)


def ints(name, *values):
    return constant(name, np.array(values, np.int64))


# --- external data -------------------------------------------------------------------------------

def place(folder, kind):
    """The location of a kind, and what must lie in the folder for it."""
    (folder / "w.bin").write_bytes(np.arange(1, 5, dtype=np.float32).tobytes())
    marker = folder.parent / "marker.bin"
    if kind == "absolute":
        return str(marker)
    if kind == "symlink":
        (folder / "link.bin").symlink_to(marker)
        return "link.bin"
    if kind == "dirlink":
        (folder / "up").symlink_to(folder.parent)
        return "up/marker.bin"
    if kind == "hardlink":
        os.link(marker, folder / "hard.bin")
        return "hard.bin"
    if kind == "fifo":
        os.mkfifo(folder / "pipe.bin")
        return "pipe.bin"
    return {"plain": "w.bin", "dotdot": "../marker.bin", "dot": "./../marker.bin",
            "backslash": "..\\marker.bin", "nul": "w.bin\0../marker.bin",
            "environ": "/proc/self/environ", "descriptor": "/proc/self/fd/3",
            "memory": "*/_ORT_MEM_ADDR_/*", "missing": "none.bin", "itself": "model.onnx",
            "empty": "", "device": "/dev/zero", "long": "a" * 5000}[kind]


def outside(folder, kind, **more):
    w = T(name="w", data_type=T.FLOAT, dims=[4])
    if kind == "inline":
        w.raw_data = np.arange(1, 5, dtype=np.float32).tobytes()
        return w
    w.data_location = T.EXTERNAL
    keys = {"location": place(folder, kind), "offset": "0", "length": "16", **more}
    for key, value in keys.items():
        w.external_data.add(key=key, value=str(value))
    return w


def external(folder, where, kind, **more):
    """y = x + w, w read from a place outside, told in one of five forms."""
    w, add = outside(folder, kind, **more), node("Add", ["x", "w"], ["y"])
    if where == "initializer":
        return model([add], x_in(), y_out(), [w])
    if where == "constant":
        return model([node("Constant", [], ["w"], value=w), add], x_in(), y_out())
    if where == "subgraph":
        both = [helper.make_graph([node("Add", ["x", "w"], ["z"])], "b", [],
                                  [tensor("z", T.FLOAT, [-1, 4])], [w]) for _ in range(2)]
        return model([node("If", ["yes"], ["y"], then_branch=both[0], else_branch=both[1])],
                     x_in(), y_out(), [constant("yes", np.array(True))])
    if where == "function":
        imports = [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]
        body = [node("Constant", [], ["w"], value=w), node("Add", ["a", "w"], ["b"])]
        made = helper.make_function("f", "F", ["a"], ["b"], body, imports)
        return model([node("F", ["x"], ["y"], domain="f")], x_in(), y_out(), functions=[made],
                     domains=[("f", 1)])
    made = model([add], x_in(), y_out())
    sparse = SparseTensorProto(dims=[4], values=w)
    sparse.indices.CopyFrom(ints("w_indices", 0, 1, 2, 3))
    made.graph.sparse_initializer.append(sparse)
    return made


# --- depth ---------------------------------------------------------------------------------------

def chain(folder, depth, circle=False):
    """Functions that call one another; in a circle if asked."""
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]
    functions = []
    for i in range(depth):
        last = i + 1 == depth
        call = (node("F0" if circle else "Neg", ["a"], ["b"], **({"domain": "f"} if circle else {}))
                if last else node(f"F{i + 1}", ["a"], ["b"], domain="f"))
        functions.append(helper.make_function("f", f"F{i}", ["a"], ["b"], [call], imports))
    return model([node("F0", ["x"], ["y"], domain="f")], x_in(), y_out(), functions=functions,
                 domains=[("f", 1)])


def field(number, payload):
    """A length-delimited field of protobuf, by hand: nested deeper than the library writes."""
    out, size = bytearray([number << 3 | 2]), len(payload)
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    out.append(size)
    return bytes(out) + payload


def nested(folder, depth):
    """If in If in If; the innermost is an Identity of the outermost x."""
    def graph(nodes, out):
        head = GraphProto(name="b", output=[ValueInfoProto(name=out)])
        return b"".join(field(1, n) for n in nodes) + head.SerializeToString()

    inner = node("Identity", ["x"], ["v0"]).SerializeToString()
    for level in range(1, depth + 1):
        other = node("Identity", ["x"], [f"e{level}"]).SerializeToString()
        branches = b""
        for name, body in (("then_branch", graph([inner], f"v{level - 1}")),
                           ("else_branch", graph([other], f"e{level}"))):
            head = AttributeProto(name=name, type=AttributeProto.GRAPH).SerializeToString()
            branches += field(5, head + field(6, body))
        head = NodeProto(op_type="If", input=["yes"], output=[f"v{level}"])
        inner = head.SerializeToString() + branches
    shell = model([node("Identity", [f"v{depth}"], ["y"])], x_in(), y_out(),
                  [constant("yes", np.array(True))])
    kept = shell.graph.SerializeToString()
    shell.ClearField("graph")
    return shell.SerializeToString() + field(7, field(1, inner) + kept)


# --- memory and time -----------------------------------------------------------------------------

def summed(nodes, initializers):
    """y = x + the sum of `big`, which a load folds where everything before it is constant."""
    return model([*nodes, node("ReduceSum", ["big"], ["s"], keepdims=0),
                  node("Add", ["x", "s"], ["y"])], x_in(), y_out(), initializers)


def fill(folder, n):
    one = helper.make_tensor("v", T.FLOAT, [1], [1.0])
    return summed([node("ConstantOfShape", ["n"], ["big"], value=one)], [ints("n", n)])


def expand(folder, n):
    return summed([node("Expand", ["one", "n"], ["big"])],
                  [constant("one", np.ones(1, np.float32)), ints("n", n)])


def tile(folder, n):
    return summed([node("Tile", ["one", "n"], ["big"])],
                  [constant("one", np.ones(4, np.float32)), ints("n", n)])


def double(folder, times):
    steps = [node("Concat", [f"d{i}", f"d{i}"], [f"d{i + 1}"], axis=0) for i in range(times)]
    return summed([*steps, node("Identity", [f"d{times}"], ["big"])],
                  [constant("d0", np.ones(4, np.float32))])


def resize(folder, scale):
    return summed([node("Resize", ["i", "", "f"], ["big"], mode="nearest")],
                  [constant("i", np.ones((1, 1, 4, 4), np.float32)),
                   constant("f", np.array([1, 1, scale, scale], np.float32))])


def strings(folder, n):
    big = [node("Tile", ["t", "n"], ["many"]), node("Shape", ["many"], ["size"]),
           node("Cast", ["size"], ["s"], to=T.FLOAT), node("Add", ["x", "s"], ["y"])]
    text = helper.make_tensor("t", T.STRING, [1], [b"sixteen and more bytes of text"])
    return model(big, x_in(), y_out(), [text, ints("n", n)])


def loop(folder, turns, folds=0):
    """Runs so many turns a request; with folds, over constants alone."""
    body = helper.make_graph(
        [node("Sin", ["v"], ["v2"]), node("Identity", ["c"], ["c2"])], "b",
        [tensor("i", T.INT64, []), tensor("c", T.BOOL, []), tensor("v", T.FLOAT, [-1, 4])],
        [tensor("c2", T.BOOL, []), tensor("v2", T.FLOAT, [-1, 4])])
    start = "k" if folds else "x"
    return model([node("Loop", ["n", "yes", start], ["l"], body=body),
                  node("Add", ["x", "l"], ["y"])], x_in(), y_out(),
                 [constant("n", np.array(turns)), constant("yes", np.array(True)),
                  constant("k", np.ones((1, 4), np.float32))])


def fold(folder, side, times):
    """Products of constant matrices, folded one after another while it loads."""
    fills = node("ConstantOfShape", ["n"], ["m0"],
                 value=helper.make_tensor("v", T.FLOAT, [1], [1e-4]))
    steps = [node("MatMul", [f"m{i}", "m0"], [f"m{i + 1}"]) for i in range(times)]
    return summed([fills, *steps, node("Identity", [f"m{times}"], ["big"])],
                  [ints("n", side, side)])


# --- lies ----------------------------------------------------------------------------------------

def weight(folder, dims, raw, kind="FLOAT", add="w"):
    """An initializer whose dims, type and bytes do not agree."""
    w = T(name="w", data_type=getattr(T, kind, 99), raw_data=b"\1" * raw)
    w.dims.extend(int(d) for d in dims.split("x"))
    return model([node("Add", ["x", add], ["y"])], x_in(), y_out(), [w])


def graph(folder, form):
    add = node("Add", ["x", "x"], ["y"])
    if form == "plain":
        return model([add], x_in(), y_out())
    if form == "circle":
        return model([node("Add", ["x", "b"], ["a"]), node("Neg", ["a"], ["b"]),
                      node("Identity", ["b"], ["y"])], x_in(), y_out())
    if form == "self":
        return model([node("Add", ["x", "y"], ["y"])], x_in(), y_out())
    if form == "domain":
        return model([node("Add", ["x", "x"], ["y"], domain="nobody.knows")], x_in(), y_out(),
                     domains=[("nobody.knows", 1)])
    if form == "operator":
        return model([node("Nonesuch", ["x"], ["y"])], x_in(), y_out())
    if form == "names":
        return model([add, node("Neg", ["x"], ["y"])], x_in(), y_out())
    if form == "inputs":
        return model([add], x_in() + x_in(), y_out())
    if form == "dangling":
        return model([node("Add", ["x", "nothing"], ["y"])], x_in(), y_out())
    if form == "no_output":
        return model([node("Neg", ["x"], ["z"])], x_in(), y_out())
    if form == "negative_dim":
        return model([add], x_in((-5, 4)), y_out((-5, 4)))
    if form == "huge_dim":
        return model([add], x_in((LAST, LAST)), y_out((LAST, LAST)))
    if form == "control_name":
        return model([node("Add", ["a\n\x1b[2J", "a\n\x1b[2J"], ["y"])],
                     [tensor("a\n\x1b[2J", T.FLOAT, [-1, 4])], y_out())
    if form == "long_name":
        return model([node("Neg", ["x"], ["y" * 70000])], x_in(),
                     [tensor("y" * 70000, T.FLOAT, [-1, 4])])
    if form == "open_shape":  # says [-1, 4], gives what n says
        return model([node("Reshape", ["x", "n"], ["y"])],
                     [*x_in(), tensor("n", T.INT64, [-1])], y_out())
    assert form == "wrong_shape"  # says [-1, 4], gives [1]
    return model([node("ReduceSum", ["x"], ["s"], keepdims=0), node("Reshape", ["s", "n"], ["y"])],
                 x_in(), y_out(), [ints("n", 1)])


def version(folder, opset=17, ir=8):
    made = model([node("Add", ["x", "x"], ["y"])], x_in(), y_out(), opset=opset)
    made.ir_version = ir
    return made


def many(folder, nodes):
    steps = [node("Neg", [f"v{i}" if i else "x"], [f"v{i + 1}"]) for i in range(nodes)]
    return model([*steps, node("Identity", [f"v{nodes}"], ["y"])], x_in(), y_out())


def tree(folder, index=None, depth=0):
    """A tree ensemble whose branch leads outside, or round in a circle."""
    from sklearn.ensemble import GradientBoostingRegressor
    from skl2onnx import to_onnx
    x = np.random.default_rng(1).standard_normal((60, 4)).astype(np.float32)
    made = to_onnx(GradientBoostingRegressor(n_estimators=3, random_state=1).fit(x, x[:, 0]), x[:1],
                   target_opset=17)
    if index is not None:
        for one in made.graph.node:
            for attribute in one.attribute:
                if attribute.name == "nodes_truenodeids":
                    attribute.ints[0] = index
    return made


def gather(folder, index):
    return model([node("Gather", ["t", "i"], ["g"]), node("Add", ["x", "g"], ["y"])], x_in(),
                 y_out(), [constant("t", np.ones((3, 4), np.float32)), ints("i", index)])


def zero_point(folder, axis, size):
    """DequantizeLinear whose scale and zero point are of another size than the axis."""
    return model([node("DequantizeLinear", ["q", "s", "z"], ["d"], axis=axis),
                  node("Add", ["x", "d"], ["y"])], x_in(), y_out(),
                 [constant("q", np.ones((1, 4), np.int8)),
                  constant("s", np.ones(size, np.float32)), constant("z", np.ones(size, np.int8))])


def locale(folder, name):
    return model([node("StringNormalizer", ["x"], ["y"], case_change_action="LOWER", locale=name)],
                 [tensor("x", T.STRING, [-1])], [tensor("y", T.STRING, [-1])])


def slices(folder, at):
    return model([node("Slice", ["x", "a", "b"], ["z"]),
                  node("ReduceSum", ["z"], ["s"], keepdims=0),
                  node("Add", ["x", "s"], ["y"])], x_in(), y_out(),
                 [ints("a", at, 0), ints("b", 1, 4)])


def raw(folder, form):
    whole = graph(folder, "plain").SerializeToString()
    return {"whole": whole, "nothing": b"\0", "text": b"#!/bin/sh\nexit 0\n", "zeros": bytes(4096),
            "half": whole[:len(whole) // 2], "trailing": whole + b"\xff" * 40,
            "overlong": b"\x08" + b"\xff" * 10 + whole, "group": whole + b"\x0b\x0b\x0b",
            "length": whole + b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
            "random": random.Random(1).randbytes(65536)}[form]


def mutant(folder, base, seed):
    """A lawful model with bytes changed, cut out or doubled; seed 0 leaves it as it is."""
    made, _ = MODELS[base]()
    data, chance = bytearray(made.SerializeToString(deterministic=True)), random.Random(seed)
    for _ in range(chance.randint(1, 6) if seed else 0):
        at = chance.randrange(len(data))
        what = chance.randrange(4)
        if what == 0:
            data[at] = chance.randrange(256)
        elif what == 1:
            data[at] ^= 1 << chance.randrange(8)
        elif what == 2:
            del data[at:at + chance.randint(1, 16)]
        else:
            data[at:at] = data[at:at + chance.randint(1, 16)]
    return bytes(data)


GENERATORS = {f.__name__: f for f in (
    external, chain, nested, fill, expand, tile, double, resize, strings, loop, fold, weight, graph,
    version, many, tree, gather, zero_point, locale, slices, raw, mutant)}


def value_of(text):
    if "^" in text:
        base, power = text.split("^")
        return min(int(base) ** int(power), LAST)
    try:
        return int(text)
    except ValueError:
        return text


def rows():
    """Rows of the table; one of mutants (seeds=A-B) stands for each of its seeds."""
    with TABLE.open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader((line for line in table if line[0] != "#"), delimiter="\t"):
            words = dict(w.split("=", 1) for w in row["arguments"].split(" ") if w != "-")
            if "seeds" not in words:
                yield {**row, "words": words}
                continue
            first, last = words.pop("seeds").split("-")
            for seed in range(int(first), int(last) + 1):
                yield {**row, "id": f"{row['id']}-{seed}", "words": {**words, "seed": str(seed)}}


def make(out, row):
    """Makes a row's directory; returns the path of its model."""
    folder = out / row["id"]
    folder.mkdir(parents=True)
    marker = out / "marker.bin"
    if not marker.exists():
        marker.write_bytes(MARKER * 64)
    made = GENERATORS[row["generator"]](
        folder, **{k: v if k == "dims" else value_of(v) for k, v in row["words"].items()})
    path = folder / "model.onnx"
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    return path


def main(args):
    if not args or args[0].startswith("-"):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    for row in rows():
        if not args[1:] or row["id"] in args[1:]:
            print(make(Path(args[0]), row))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

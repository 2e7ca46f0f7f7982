"""The inference protocol as a client writes it: numpy arrays to requests, replies to arrays.

Nothing here is shared with the server: values go through numpy and Python's json.
"""

import http.client
import json
import struct

import numpy as np

NUMPY = {"BOOL": np.bool_, "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32,
         "UINT64": np.uint64, "INT8": np.int8, "INT16": np.int16, "INT32": np.int32,
         "INT64": np.int64, "FP16": np.float16, "FP32": np.float32, "FP64": np.float64,
         "BF16": np.uint16, "BYTES": object}


def datatype(array, bf16=False):
    if array.dtype == object:
        return "BYTES"
    if bf16:
        return "BF16"
    return next(k for k, v in NUMPY.items() if v == array.dtype)


def to_bytes(array):
    """Row-major, little-endian; BYTES as records of length and bytes."""
    if array.dtype != object:
        return np.ascontiguousarray(array).tobytes()
    return b"".join(struct.pack("<I", len(v)) + v for v in array.reshape(-1))


def records(data):
    out, at = [], 0
    while at < len(data):
        size = struct.unpack_from("<I", data, at)[0]
        out.append(data[at + 4:at + 4 + size])
        assert len(out[-1]) == size
        at += 4 + size
    return out


def objects(values, shape):
    made = np.empty(len(values), object)
    made[:] = values
    return made.reshape(shape)


def from_bytes(data, kind, shape):
    if kind == "BYTES":
        return objects(records(data), shape)
    return np.frombuffer(data, NUMPY[kind]).reshape(shape)


def widen(array):
    """BF16 bits as the float32 of the same value."""
    return (array.astype(np.uint32) << 16).view(np.float32)


def to_json(array, kind):
    if kind == "BYTES":
        return [v.decode() for v in array.reshape(-1)]
    if kind == "BF16":
        return widen(array).reshape(-1).tolist()
    return array.reshape(-1).tolist()


def from_json(values, kind, shape):
    if kind == "BYTES":
        return objects([v.encode() for v in values], shape)
    if kind == "BF16":
        return (np.array(values, np.float32).view(np.uint32) >> 16).astype(np.uint16).reshape(shape)
    if kind in ("FP16", "FP32", "FP64"):
        assert all(isinstance(v, float) for v in values), "a float without point or exponent"
    return np.array(values, NUMPY[kind]).reshape(shape)


def body_of(arrays, kinds=None, binary=False, binary_out=False, **more):
    """Body and headers of a request for {input: array}."""
    kinds, inputs, tail = kinds or {}, [], b""
    for name, array in arrays.items():
        kind = kinds.get(name) or datatype(array)
        entry = {"name": name, "shape": list(array.shape), "datatype": kind}
        if binary:
            data = to_bytes(array)
            entry["parameters"] = {"binary_data_size": len(data)}
            tail += data
        else:
            entry["data"] = to_json(array, kind)
        inputs.append(entry)
    ask = {"inputs": inputs, **more}
    if binary_out:
        ask.setdefault("parameters", {})["binary_data_output"] = True
    head = json.dumps(ask).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))} if binary else {}
    return head + tail, headers


def outputs_of(body, headers):
    """{output: (datatype, array)} and the JSON of a reply."""
    size = headers.get("inference-header-content-length")
    assert headers["content-type"] == (
        "application/octet-stream" if size else "application/json")
    told = json.loads(body[:int(size)] if size else body)
    tail, at, made = body[int(size):] if size else b"", 0, {}
    for out in told["outputs"]:
        kind, shape = out["datatype"], out["shape"]
        length = out.get("parameters", {}).get("binary_data_size")
        if length is None:
            assert "parameters" not in out
            made[out["name"]] = kind, from_json(out["data"], kind, shape)
        else:
            assert "data" not in out
            made[out["name"]] = kind, from_bytes(tail[at:at + length], kind, shape)
            at += length
    assert at == len(tail), "bytes behind the last tensor"
    return made, told


class Client:
    """One connection that stays; one thread's."""

    def __init__(self, server):
        self.link = http.client.HTTPConnection("127.0.0.1", server.data_port, timeout=60)

    def post(self, path, body, headers=None):
        self.link.request("POST", path, body, headers or {})
        answer = self.link.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()

    def infer(self, model, arrays, kinds=None, binary=False, binary_out=None, **more):
        """Arrays of the outputs; anything but 200 is an AssertionError with the server's text."""
        body, headers = body_of(arrays, kinds, binary,
                                binary if binary_out is None else binary_out, **more)
        status, back, answer = self.post(f"/v2/models/{model}/infer", body, headers)
        assert status == 200, (status, answer[:500])
        made, _ = outputs_of(answer, back)
        return {name: array for name, (_, array) in made.items()}

    def close(self):
        self.link.close()


def same(ours, wanted, through_json):
    """Bit-equal; JSON keeps no payload of a NaN."""
    assert set(ours) == set(wanted)
    for name, want in wanted.items():
        got = ours[name]
        assert got.dtype == want.dtype and got.shape == want.shape, (name, got.dtype, got.shape)
        if want.dtype == object:
            assert got.tolist() == want.tolist(), name
            continue
        if through_json and want.dtype.kind == "f":
            assert np.array_equal(np.isnan(got), np.isnan(want)), name
            got, want = np.nan_to_num(got, nan=0.0), np.nan_to_num(want, nan=0.0)
        assert got.tobytes() == want.tobytes(), name

"""The same numbers as ONNX Runtime in Python, whatever the form, the size or the company."""

import json
import threading

import numpy as np
import onnx
import pytest

import oip
from conftest import wait_for
from live import demo_models, running, session

MADE = ["identity", "simple", "simple_string", "identity_bool", "identity_uint8",
        "identity_uint16", "identity_uint32", "identity_uint64", "identity_int8",
        "identity_int16", "identity_int32", "identity_int64", "identity_fp16", "identity_fp32",
        "identity_fp64", "identity_bf16", "identity_bytes", "matmul", "matmul_fp16",
        "zipmap_int64", "zipmap_string", "boost_int64", "boost_string", "regressor", "lstm",
        "mean_rows", "external", "scalar", "nonzero", "default_input", "gather", "chain_8"]
ROWS_DEPEND = {"lstm", "mean_rows", "nonzero"}  # these have no single row to cut out
FORMS = pytest.mark.parametrize("binary", [False, True], ids=["json", "binary"])
BATCHES = pytest.mark.parametrize("rows", [1, 7])


@pytest.fixture(scope="module")
def paths(models):
    demo = demo_models()
    found = {name: models / f"{name}.onnx" for name in MADE}
    found |= {"tumor": demo / "tumor.onnx", "diabetes": demo / "diabetes.onnx",
              "ppocr": models / "ppocr_det.onnx", "magika": models / "magika.onnx"}
    return found


@pytest.fixture(scope="module")
def server(paths, tmp_path_factory):
    with running(tmp_path_factory.mktemp("numbers"), paths,
                 {"worker": {"loads": 4}, "defaults": {"lane_reply": "4MiB"}}) as made:
        yield made


@pytest.fixture
def client(server):
    made = oip.Client(server)
    yield made
    made.close()


def zipmap_labels(path):
    """{output: labels in order} of the ZipMap nodes of a model."""
    found = {}
    for node in onnx.load(path, load_external_data=False).graph.node:
        if node.op_type == "ZipMap":
            lists = [list(a.strings) or list(a.ints) for a in node.attribute]
            found[node.output[0]] = [v.decode() if isinstance(v, bytes) else v
                                     for values in lists for v in values]
    return found


def oracle(path, arrays):
    """What onnxruntime answers, in the protocol's types: maps as columns, strings as bytes."""
    ran = session(path)
    text = {k: np.array([v.decode() for v in a.reshape(-1)], object).reshape(a.shape)
            if a.dtype == object else a for k, a in arrays.items()}
    names = [o.name for o in ran.get_outputs()]
    answers, labels = dict(zip(names, ran.run(names, text))), zipmap_labels(path)
    for name, answer in answers.items():
        if name in labels:
            answers[name] = np.array([[row[v] for v in labels[name]] for row in answer], np.float32)
        elif np.asarray(answer).dtype.kind in "OU":
            answers[name] = oip.objects([v.encode() for v in answer.reshape(-1)], answer.shape)
    return answers


def made_case(models, name):
    arrays = np.load(models / f"{name}.npz", allow_pickle=True)
    pick = lambda prefix: {k[len(prefix):]: arrays[k] for k in arrays if k.startswith(prefix)}
    return pick("in."), pick("out.")


def kinds_of(name):
    return {"INPUT0": "BF16"} if name == "identity_bf16" else {}


@FORMS
@pytest.mark.parametrize("name", MADE)
def test_answers_as_the_runtime_does(client, models, paths, name, binary):
    arrays, wanted = made_case(models, name)
    if name != "identity_bf16":  # numpy has no such type, so it cannot be asked again
        again = oracle(paths[name], arrays)
        oip.same(wanted, again, False)
    ours = client.infer(name, arrays, kinds_of(name), binary)
    if name == "identity_bf16":
        ours, wanted = ({k: oip.widen(v) for k, v in a.items()} for a in (ours, wanted))
    oip.same(ours, wanted, not binary)


@FORMS
@pytest.mark.parametrize("name", [n for n in MADE if n not in ROWS_DEPEND and n != "scalar"])
def test_answers_one_row(client, models, paths, name, binary):
    arrays, _ = made_case(models, name)
    arrays = {k: v[:1] for k, v in arrays.items() if k != "scale"}
    if name == "identity_bf16":
        wanted = {"OUTPUT0": arrays["INPUT0"]}
    else:
        wanted = oracle(paths[name], arrays)
    oip.same(client.infer(name, arrays, kinds_of(name), binary), wanted, not binary)


@FORMS
@BATCHES
@pytest.mark.parametrize("name,truth", [("tumor", "probability"), ("diabetes", "value")])
def test_demo_models(client, paths, name, truth, rows, binary):
    known = json.loads((paths[name].parent / f"{name}.json").read_text())
    x = np.array(known["rows"][:rows], np.float32)
    ours = client.infer(name, {"X": x}, binary=binary)
    oip.same(ours, oracle(paths[name], {"X": x}), not binary)
    wanted = np.array(known["answers"][truth][:rows])
    seen = ours["output_probability" if name == "tumor" else next(iter(ours))]
    assert np.allclose(seen.reshape(wanted.shape), wanted, rtol=1e-5, atol=0)
    if name == "tumor":
        assert ours["output_label"].tolist() == known["answers"]["label"][:rows]


@FORMS
@BATCHES
def test_text_detector(client, paths, rows, binary):
    x = np.random.default_rng(rows).random((rows, 3, 64, 96), np.float32) * 2 - 1
    ran = session(paths["ppocr"]).get_inputs()[0]
    wanted = oracle(paths["ppocr"], {ran.name: x})
    oip.same(client.infer("ppocr", {ran.name: x}, binary=binary), wanted, not binary)
    assert next(iter(wanted.values())).shape == (rows, 1, 64, 96)


@FORMS
@BATCHES
def test_magika(client, paths, rows, binary):
    ran = session(paths["magika"]).get_inputs()[0]
    width = next(d for d in reversed(ran.shape) if isinstance(d, int))
    dtype = {"tensor(int32)": np.int32, "tensor(int64)": np.int64, "tensor(float)": np.float32}
    x = np.random.default_rng(rows).integers(0, 257, (rows, width)).astype(dtype[ran.type])
    wanted = oracle(paths["magika"], {ran.name: x})
    oip.same(client.infer("magika", {ran.name: x}, binary=binary), wanted, not binary)
    (y,) = wanted.values()
    assert np.allclose(y.sum(axis=1), 1, atol=1e-4), "not a distribution: the wrong model"


def test_bytes_that_are_no_text(server, client):
    """NULs and bad UTF-8: only the binary form has them."""
    x = oip.objects([b"a\0b", b"\xff\xfe", b"", b"\xed\xa0\x80", b"\0", b"plain"], (2, 3))
    assert client.infer("identity_bytes", {"INPUT0": x}, binary=True)["OUTPUT0"].tolist() == \
        x.tolist()
    before = server.metrics()
    body, headers = oip.body_of({"INPUT0": x}, binary=True)
    status, back, answer = client.post("/v2/models/identity_bytes/infer", body, headers)
    assert status == 400 and back["x-garrison-error"] == "INPUT"
    assert "binary_data" in json.loads(answer)["error"]
    name = ('garrison_inference_requests_total{model="identity_bytes",version="1",'
            'outcome="client_error",reason="unwritable"}')
    assert name in before, [k for k in before if "identity_bytes" in k][:40]
    wait_for("the refusal's count", lambda: server.metrics()[name] == before[name] + 1)


def test_nul_in_json_text(client):
    x = oip.objects([b"a\0b", "h\u00e9 \U0001f600 \"\\/\n\x7f".encode()], (1, 2))
    assert client.infer("identity_bytes", {"INPUT0": x})["OUTPUT0"].tolist() == x.tolist()


@FORMS
@pytest.mark.parametrize("name", [n for n in MADE if n.startswith("identity_")])
def test_empty_tensors(client, models, name, binary):
    arrays, _ = made_case(models, name)
    for shape in ((0, 3), (2, 0), (0, 0)):
        x = np.zeros(shape, arrays["INPUT0"].dtype)
        ours = client.infer(name, {"INPUT0": x}, kinds_of(name), binary)
        oip.same(ours, {"OUTPUT0": x}, not binary)


@FORMS
@pytest.mark.parametrize("name,dtype", [("identity_fp16", np.float16), ("identity_fp32", np.float32),
                                        ("identity_fp64", np.float64)])
def test_every_kind_of_float(client, name, dtype, binary):
    """Not numbers, infinities, both zeros, subnormals, and random bit patterns."""
    size = np.dtype(dtype).itemsize
    bits = np.random.default_rng(size).integers(0, 256, (512, size), np.uint8).view(dtype)
    edges = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, np.finfo(dtype).smallest_subnormal,
                      np.finfo(dtype).max, np.finfo(dtype).min], dtype)
    x = np.concatenate([bits.reshape(-1), edges]).reshape(1, -1)
    oip.same(client.infer(name, {"INPUT0": x}, binary=binary), {"OUTPUT0": x}, not binary)


def test_mixed_forms_in_the_callers_order(client):
    a = np.arange(16, dtype=np.int32).reshape(1, 16)
    body, headers = oip.body_of({"INPUT1": a, "INPUT0": a * 3}, binary=True, outputs=[
        {"name": "OUTPUT1", "parameters": {"binary_data": True}}, {"name": "OUTPUT0"}])
    status, back, answer = client.post("/v2/models/simple/infer", body, headers)
    assert status == 200, answer
    made, told = oip.outputs_of(answer, back)
    assert [o["name"] for o in told["outputs"]] == ["OUTPUT1", "OUTPUT0"]
    assert "data" in told["outputs"][1] and "data" not in told["outputs"][0]
    assert np.array_equal(made["OUTPUT0"][1], a * 4) and np.array_equal(made["OUTPUT1"][1], a * 2)


def test_default_of_an_input_may_be_replaced(client, paths):
    x = np.arange(4, dtype=np.float32).reshape(1, 4)
    for more in ({}, {"scale": np.array([0.5], np.float32)}):
        oip.same(client.infer("default_input", {"x": x, **more}),
                 oracle(paths["default_input"], {"x": x, **more}), True)


def test_raw_request(client, paths):
    """Header value 0: the body is the tensor, and all outputs come back binary."""
    raw = lambda model, data: client.post(f"/v2/models/{model}/infer", data,
                                          {"Inference-Header-Content-Length": "0"})
    x = np.random.default_rng(1).standard_normal((1, 64)).astype(np.float32)
    status, back, answer = raw("matmul", x.tobytes())
    assert status == 200 and back["content-type"] == "application/octet-stream", answer
    made, _ = oip.outputs_of(answer, back)
    oip.same({"y": made["y"][1]}, oracle(paths["matmul"], {"x": x}), False)
    for data in (x.tobytes()[:-1], x.tobytes()[:4]):  # must divide exactly
        status, back, answer = raw("matmul", data)
        assert (status, back["x-garrison-error"]) == (400, "INPUT"), (len(data), answer)
    status, back, answer = raw("simple", bytes(128))  # two inputs
    assert (status, back["x-garrison-error"]) == (400, "INPUT"), answer


@pytest.mark.parametrize("name", ["matmul", "zipmap_string"])
@pytest.mark.parametrize("count", [1, 3, 1000])
def test_classification(client, models, paths, name, count):
    arrays, _ = made_case(models, name)
    arrays = {k: v[:1] for k, v in arrays.items()}
    output = {"matmul": "y", "zipmap_string": "probabilities"}[name]
    scores = oracle(paths[name], arrays)[output].reshape(-1)
    labels = zipmap_labels(paths[name]).get(output)
    ours = client.infer(name, arrays, outputs=[
        {"name": output, "parameters": {"classification": count}}])[output]
    order = np.argsort(-scores, kind="stable")[:count]
    assert ours.size == min(count, scores.size)
    for text, index in zip(ours.reshape(-1), order):
        value, place, *label = text.decode().split(":", 2)
        assert np.float32(value) == scores[index] and int(place) == index
        assert label == ([labels[index]] if labels else [])


def test_classification_puts_not_a_number_last(client):
    x = np.array([[np.nan, 2, np.inf, 2, -np.inf]], np.float32)
    body, headers = oip.body_of({"INPUT0": x}, binary=True, outputs=[
        {"name": "OUTPUT0", "parameters": {"classification": 5}}])
    status, back, answer = client.post("/v2/models/identity_fp32/infer", body, headers)
    assert status == 200, answer
    (_, seen), = oip.outputs_of(answer, back)[0].values()
    assert [v.split(b":")[1] for v in seen.reshape(-1)] == [b"2", b"1", b"3", b"4", b"0"]


def test_classification_of_text_is_refused(client):
    body, _ = oip.body_of({"INPUT0": oip.objects([b"a"], (1, 1))}, outputs=[
        {"name": "OUTPUT0", "parameters": {"classification": 1}}])
    status, back, answer = client.post("/v2/models/identity_bytes/infer", body)
    assert (status, back["x-garrison-error"]) == (400, "INPUT"), answer


def crowd(server, model, cases, people=16, each=8):
    """Every case asked by 16 connections at once; [(case, answer)], and no failure."""
    done, broken = [], []
    gate = threading.Barrier(people)

    def one(number):
        client = oip.Client(server)
        try:
            gate.wait()
            for turn in range(each):
                case = cases[(number + turn) % len(cases)]
                done.append((case, client.infer(model, case[0], binary=True)))
        except Exception as error:  # told by the main thread
            broken.append(repr(error))
        finally:
            client.close()

    threads = [threading.Thread(target=one, args=(n,)) for n in range(people)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not broken, broken[:3]
    assert len(done) == people * each
    return done


def statistics(server, model):
    (told,) = server.request(f"/v2/models/{model}/stats").json["model_stats"]
    return told


def test_dependent_rows_are_never_batched(server, paths):
    """A sequence-first LSTM at concurrency 16: the same bits as alone, one run a request."""
    r = np.random.default_rng(5)
    cases = []
    for steps in (1, 2, 3, 5, 7):
        x = {"x": r.standard_normal((steps, 1, 3)).astype(np.float32)}
        cases.append((x, oracle(paths["lstm"], x)))
    before = statistics(server, "lstm")
    for case, answer in crowd(server, "lstm", cases):
        oip.same(answer, case[1], False)
    wait_for("128 runs", lambda: statistics(server, "lstm")["execution_count"]
             - before["execution_count"] == 128)


def test_stating_a_batch_for_dependent_rows_refuses_the_load(paths, tmp_path):
    models = {"lstm": {"path": paths["lstm"], "max_batch_size": 4},
              "mean": {"path": paths["mean_rows"], "max_batch_size": 4},
              "matmul": {"path": paths["matmul"], "max_batch_size": 4}}
    with running(tmp_path, models) as server:
        assert server.request("/v2/models/matmul/ready").status == 200
        for name in ("lstm", "mean"):
            answer = server.request(f"/v2/models/{name}/ready")
            assert answer.status == 503 and answer.json["ready"] is False
            told = {e["name"]: e for e in server.request("/v2/repository/index", b"").json}
            assert told[name]["state"] == "UNAVAILABLE" and "batch" in told[name]["reason"]


@pytest.mark.parametrize("name,output,columns,dtype", [
    ("matmul", "y", 64, np.float32), ("matmul_fp16", "y", 16, np.float16)])
def test_stacked_rows(paths, tmp_path, name, output, columns, dtype):
    """Stated and probed: requests share runs, and the numbers stay within the tolerance."""
    r = np.random.default_rng(9)
    cases = []
    for rows in (1, 2, 3):
        x = {"x": r.standard_normal((rows, columns)).astype(dtype)}
        cases.append((x, oracle(paths[name], x)))
    with running(tmp_path, {name: {"path": paths[name], "max_batch_size": 16}}) as server:
        def shared():
            for case, answer in crowd(server, name, cases):
                close(answer[output], case[1][output])
            told = statistics(server, name)
            return told["execution_count"] < told["inference_stats"]["success"]["count"]
        wait_for("a run that several requests share", shared)
        # Alone again: bit-equal.
        client = oip.Client(server)
        for x, wanted in cases:
            oip.same(client.infer(name, x, binary=True), wanted, False)
        client.close()
        answer = server.request(f"/v2/models/{name}")
        assert answer.json["inputs"][0]["shape"] == [-1, columns]
        told = server.request(f"/v2/models/{name}/config").json
        assert told["max_batch_size"] == 16 and told["input"][0]["dims"] == [columns]
        assert "dynamic_batching" in told


def close(got, want):
    """1e-5 + 1e-5 |x|; in FP16 two units in the last place."""
    if want.dtype == np.float16:
        limit = 2 * np.spacing(np.abs(want)).astype(np.float64)
        assert np.all(np.abs(got.astype(np.float64) - want.astype(np.float64)) <= limit)
    else:
        assert np.all(np.abs(got - want) <= 1e-5 + 1e-5 * np.abs(want))

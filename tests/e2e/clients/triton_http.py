"""tritonclient.http against a server: usage triton_http.py HOST:PORT; prints `ok NAME` a check."""

import sys

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException, np_to_triton_dtype


def inputs(binary, **arrays):
    made = []
    for name, array in arrays.items():
        kind = np_to_triton_dtype(array.dtype)
        made.append(http.InferInput(name, list(array.shape), kind))
        made[-1].set_data_from_numpy(array, binary_data=binary)
    return made


def outputs(binary, *names):
    return [http.InferRequestedOutput(n, binary_data=binary) for n in names]


def numbers():
    a = np.arange(16, dtype=np.int32).reshape(1, 16)
    return a, np.full((1, 16), 3, np.int32)


def check_simple(result, a, b):
    assert np.array_equal(result.as_numpy("OUTPUT0"), a + b)
    assert np.array_equal(result.as_numpy("OUTPUT1"), a - b)


def infer(client):
    a, b = numbers()
    for sent in (True, False):
        for wanted in (None, outputs(True, "OUTPUT0", "OUTPUT1"),
                       outputs(False, "OUTPUT1", "OUTPUT0")):
            result = client.infer("simple", inputs(sent, INPUT0=a, INPUT1=b), outputs=wanted,
                                  request_id="r-1", timeout=5_000_000, priority=0)
            check_simple(result, a, b)
            assert result.get_response()["id"] == "r-1"
            assert result.get_response()["model_version"] == "1"


def compression(client):
    a, b = numbers()
    for coding in ("gzip", "deflate"):
        result = client.infer("simple", inputs(True, INPUT0=a, INPUT1=b),
                              request_compression_algorithm=coding,
                              response_compression_algorithm=coding)
        check_simple(result, a, b)


def async_infer(client):
    a, b = numbers()
    pending = [client.async_infer("simple", inputs(True, INPUT0=a + i, INPUT1=b))
               for i in range(32)]
    for i, one in enumerate(pending):
        check_simple(one.get_result(), a + i, b)


def bytes_tensors(client):
    x = np.array([[b"a\0b", b"\xff\xfe"], [b"", "h\u00e9".encode()]], dtype=np.object_)
    result = client.infer("identity_bytes", inputs(True, INPUT0=x))
    assert result.as_numpy("OUTPUT0").tolist() == x.tolist()
    text = np.array([["1", "h\u00e9"]], dtype=np.object_)
    result = client.infer("identity_bytes", inputs(False, INPUT0=text),
                          outputs=outputs(False, "OUTPUT0"))
    assert [v if isinstance(v, str) else v.decode()
            for v in result.as_numpy("OUTPUT0").reshape(-1)] == ["1", "h\u00e9"]


def strings(client):
    a = np.array([[str(i).encode() for i in range(16)]], dtype=np.object_)
    b = np.array([[b"1"] * 16], dtype=np.object_)
    result = client.infer("simple_string", inputs(True, INPUT0=a, INPUT1=b))
    assert [int(v) for v in result.as_numpy("OUTPUT0")[0]] == list(range(1, 17))


def half(client):
    x = np.arange(32, dtype=np.float16).reshape(2, 16)
    result = client.infer("identity_fp16", inputs(True, INPUT0=x))
    assert np.array_equal(result.as_numpy("OUTPUT0"), x)


def classification(client):
    a, b = numbers()
    wanted = [http.InferRequestedOutput("OUTPUT0", binary_data=True, class_count=3)]
    seen = client.infer("simple", inputs(True, INPUT0=a, INPUT1=b),
                        outputs=wanted).as_numpy("OUTPUT0")
    assert [v.split(b":")[1] for v in seen.reshape(-1)] == [b"15", b"14", b"13"]


def health(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("simple") and client.is_model_ready("simple", "1")
    assert not client.is_model_ready("nobody") and not client.is_model_ready("simple", "2")


def metadata(client):
    assert client.get_server_metadata()["name"] == "garrison"
    told = client.get_model_metadata("simple", model_version="1")
    assert [i["name"] for i in told["inputs"]] == ["INPUT0", "INPUT1"]
    assert told["outputs"][0]["datatype"] == "INT32"


def config(client):
    told = client.get_model_config("simple")
    assert told["max_batch_size"] == 0 and told["input"][0]["data_type"] == "TYPE_INT32"


def statistics(client):
    (told,) = client.get_inference_statistics("simple")["model_stats"]
    assert told["inference_stats"]["success"]["count"] > 30
    assert len(client.get_inference_statistics()["model_stats"]) >= 4


def index(client):
    told = {m["name"]: m["state"] for m in client.get_model_repository_index()}
    assert told["simple"] == "READY"


def errors(client):
    a, b = numbers()
    cases = [(lambda: client.infer("nobody", inputs(True, INPUT0=a)),
              "[404] Request for unknown model: 'nobody' is not found"),
             (lambda: client.infer("simple", inputs(True, INPUT0=a)), "INPUT1"),
             (lambda: client.infer("simple", inputs(True, INPUT0=a, INPUT1=b), sequence_id=7),
              "[501]"),
             (lambda: client.get_model_metadata("simple", "2"), "version '2' is not found"),
             (lambda: client.load_model("simple"), "failed to load 'simple'"),
             (lambda: client.get_system_shared_memory_status(), "[501]")]
    for call, text in cases:
        try:
            call()
        except InferenceServerException as error:
            assert text in str(error), (text, str(error))
        else:
            raise AssertionError(f"no exception where {text!r} was due")


def main():
    client = http.InferenceServerClient(sys.argv[1], concurrency=8)
    for check in (infer, compression, async_infer, bytes_tensors, strings, half, classification,
                  health, metadata, config, statistics, index, errors):
        check(client)
        print("ok", check.__name__, flush=True)
    client.close()


main()

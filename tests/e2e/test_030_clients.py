"""Clients that nobody here wrote, each in its own environment, and curl."""

import json
import pathlib
import shutil
import subprocess

import pytest

from conftest import ROOT
from live import running

CLIENTS = pathlib.Path(__file__).parent / "clients"
CHECKS = {
    "triton_http": ("triton", ["infer", "compression", "async_infer", "bytes_tensors", "strings",
                               "half", "classification", "health", "metadata", "config",
                               "statistics", "index", "errors"]),
    "triton_aio": ("triton", ["infer", "compression", "telling", "errors"]),
    "kserve_rest": ("kserve", ["ready", "arrays", "errors"]),
}


@pytest.fixture(scope="module")
def server(models, tmp_path_factory):
    names = ("simple", "simple_string", "identity_bytes", "identity_fp16", "identity_fp32",
             "identity_int64")
    with running(tmp_path_factory.mktemp("clients"),
                 {n: models / f"{n}.onnx" for n in names}) as made:
        yield made


def client(name, server, port=None):
    venv = CHECKS[name][0]
    where = f"127.0.0.1:{port or server.data_port}"
    return subprocess.run(
        [ROOT / ".cache" / "venv" / venv / "bin" / "python", "-B", CLIENTS / f"{name}.py",
         f"http://{where}" if venv == "kserve" else where],
        capture_output=True, text=True, timeout=180)


@pytest.mark.parametrize("name", CHECKS)
def test_client(server, name):
    ended = client(name, server)
    assert ended.returncode == 0, ended.stdout[-500:] + ended.stderr[-3000:]
    assert ended.stdout.split() == [w for check in CHECKS[name][1] for w in ("ok", check)]


@pytest.mark.parametrize("name", CHECKS)
def test_client_notices_a_server_that_is_another(server, name):
    """The ops listener speaks HTTP, but not this protocol: every script must fail."""
    ended = client(name, server, server.ops_port)
    assert ended.returncode != 0 and "ok" not in ended.stdout.split()


# curl, as the README prints it.

BODY = json.dumps({"inputs": [{"name": "INPUT0", "shape": [1, 2], "datatype": "FP32",
                               "data": [1.5, 2]}]})


def curl(server, path, *words):
    assert shutil.which("curl"), "curl is one of the tools that setup installs"
    ended = subprocess.run(["curl", "-sS", "--max-time", "30", *words, server.data + path],
                           capture_output=True, timeout=60)
    return ended.returncode, ended.stdout


def test_curl_predicts(server, tmp_path):
    path = "/v2/models/identity_fp32/infer"
    wanted = [1.5, 2.0]
    (tmp_path / "body.json").write_text(BODY)
    for words in (["-d", BODY], ["-d", f"@{tmp_path}/body.json"], ["--http1.0", "-d", BODY],
                  ["-H", "Content-Type: application/json; charset=utf-8", "-d", BODY],
                  ["-H", "Expect: 100-continue", "-d", BODY],
                  ["-H", "Transfer-Encoding: chunked", "-d", BODY],
                  ["--http2", "-d", BODY]):  # asks for an upgrade that is not given
        code, answer = curl(server, path, *words)
        assert code == 0 and json.loads(answer)["outputs"][0]["data"] == wanted, (words, answer)


def test_curl_sees_errors(server):
    code, answer = curl(server, "/v2/models/nobody", "-f")
    assert code == 22
    code, answer = curl(server, "/v2/models/nobody", "-w", "%{http_code}")
    assert code == 0 and answer.endswith(b"404")


def test_curl_sends_a_large_body_only_when_told_to(server, tmp_path):
    big = json.dumps({"inputs": [{"name": "INPUT0", "shape": [200_000], "datatype": "FP32",
                                  "data": [0.5] * 200_000}]})
    (tmp_path / "big.json").write_text(big)
    code, answer = curl(server, "/v2/models/nobody/infer", "-d", f"@{tmp_path}/big.json",
                        "-H", "Expect: 100-continue", "-w", "%{http_code} %{size_upload}")
    assert code == 0 and answer.endswith(b"404 0"), answer[-200:]


def test_curl_head(server):
    code, answer = curl(server, "/v2/health/live", "-I")
    assert code == 0 and answer.startswith(b"HTTP/1.1 200 ")

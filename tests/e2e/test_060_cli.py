"""The commands against a live server: what they print, how they end, what they refuse."""

import csv
import io
import json
import os
import subprocess

import numpy as np
import pytest

import oip
from conftest import BIN, free_ports
from live import demo_models, running, session


@pytest.fixture(scope="module")
def server(models, tmp_path_factory):
    demo, folder = demo_models(), tmp_path_factory.mktemp("cli")
    paths = {"tumor": demo / "tumor.onnx", "diabetes": demo / "diabetes.onnx",
             "text": models / "identity_bytes.onnx", "digits": models / "simple_string.onnx", "pair": models / "simple.onnx",
             "broken": models / "sequence_output.onnx"}
    with running(folder, paths) as made:
        made.socket = folder / "data" / "run" / "admin.sock"
        yield made


def run(*words, given=None, **env):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GARRISON_")}
    return subprocess.run([str(BIN / "garrison"), *map(str, words)], input=given, text=True,
                          capture_output=True, env={**clean, **env}, timeout=60)


def infer(server, *words, given=None):
    return run("infer", *words, "--server", server.data, given=given)


def refused(ended, code, name, text):
    """The exit status, nothing on stdout, and one line that says what is wrong."""
    assert ended.returncode == code, ended
    assert ended.stdout == "" and len(ended.stderr.splitlines()) == 1, ended
    assert f"({name}): " in ended.stderr and text in ended.stderr, ended.stderr


def table(text):
    rows = list(csv.reader(io.StringIO(text)))
    return rows[0], rows[1:]


# Refusals.

@pytest.mark.parametrize("words,text", [
    (["stauts"], "nearest is status"), (["infer", "x", "--cvs", "a"], "nearest is --csv"),
    (["infer"], "NAME"), (["infer", "x", "y", "--random", "1"], '"y"'),
    (["infer", "x"], "0 of --csv, --json and --random"),
    (["infer", "x", "--csv", "a", "--random", "1"], "2 of --csv, --json and --random"),
    (["infer", "diabetes", "--random", "0"], "--random"),
    (["infer", "diabetes", "--random", "-1"], "--random"),
    (["infer", "x", "--random", "0", "--server", "http://127.0.0.1:1"], "a number of rows from 1"),
    (["infer", "x", "--csv", "a", "--rows", "0"], "1..1000000"),
    (["infer", "x", "--random", "1", "--output", "xml"], "xml"),
    (["infer", "x", "--random", "1", "--deadline", "5"], "--deadline"),
    (["infer", "../x", "--random", "1"], "../x"), (["infer", "x", "--csv"], "--csv"),
    (["infer", "diabetes", "--csv", "/nowhere/rows.csv"], "/nowhere/rows.csv"),
    (["status", "--probe", "alive"], "alive"), (["check", "/nowhere.yaml"], "/nowhere.yaml"),
    (["version", "--jsn"], "nearest is --json"), (["completion", "tcsh"], "tcsh")])
def test_refuses_what_it_does_not_know(server, words, text):
    ended = run(*words, GARRISON_SERVER=server.data)
    assert ended.returncode == 2 and ended.stdout == "", ended
    assert len(ended.stderr.splitlines()) == 1 and text in ended.stderr, ended.stderr


def test_exit_status_says_what_went_wrong(server):
    (nobody,) = free_ports(1)
    refused(infer(server, "nobody", "--random", 1), 4, "NOT_FOUND",
            "Request for unknown model: 'nobody' is not found")
    refused(infer(server, "tumor@2", "--random", 1), 4, "NOT_FOUND", "version '2' is not found")
    refused(infer(server, "broken", "--random", 1), 5, "UNAVAILABLE", "")
    refused(infer(server, "diabetes", "--json", "-", given='{"inputs":[]}'), 2, "INPUT",
            'input "X" is missing')
    refused(infer(server, "diabetes", "--csv", "-", given="a,b\n1,2\n"), 2, "INPUT", "want 10")
    refused(infer(server, "diabetes", "--csv", "-", given=",".join("x" * 10) + "\n"), 2, "INPUT",
            "")
    for words in (["infer", "x", "--random", "1"], ["status"]):
        refused(run(*words, "--server", f"http://127.0.0.1:{nobody}"), 5, "UNAVAILABLE",
                "want a running server")


def test_says_what_to_change(server, models, tmp_path):
    (tmp_path / "file").write_text("")
    start = ("serve", models / "matmul.onnx", "--data-dir")
    for words, code, text in (
            (["data", "--listen", f"127.0.0.1:{server.data_port}", "--ops-listen", "127.0.0.1:0"],
             6, "Address already in use; name another with --listen"),
            (["data", "--listen", "127.0.0.1:0", "--ops-listen", f"127.0.0.1:{server.ops_port}"],
             6, "Address already in use; name another with --ops-listen"),
            (["file"], 5, "Not a directory; name another with --data-dir")):
        ended = run(*start, tmp_path / words[0], *words[1:])
        assert ended.returncode == code and text in ended.stderr, ended
    refused(run("status", "--server", server.data), 4, "NOT_FOUND", "it is one of listeners.ops")
    refused(run("infer", "x", "--random", 1, "--server", server.ops), 4, "NOT_FOUND",
            "it is one of listeners.data")
    refused(run("status", "--socket", tmp_path / "file"), 5, "UNAVAILABLE",
            "want the socket of a running server")


# Predictions.

@pytest.mark.parametrize("words", [["version"], ["help"], ["infer", "diabetes", "--random", "2000"]],
                         ids=["little", "more", "much"])
def test_standard_output_that_takes_no_more(server, words):
    more = ["--server", server.data] if words[0] == "infer" else []
    with open("/dev/full", "w", encoding="ascii") as full:
        ended = subprocess.run([BIN / "garrison", *words, *more], stdout=full,
                               stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert ended.returncode == 1, ended
    assert "(INTERNAL): standard output took no more" in ended.stderr


@pytest.mark.parametrize("words", [[], ["--binary"], ["--rows", 5], ["--rows", 1, "--binary"]])
@pytest.mark.parametrize("name", ["tumor", "diabetes"])
def test_rows_of_csv(server, name, words):
    """Number for number what onnxruntime answers, and near to what scikit-learn does."""
    demo = demo_models()
    known = json.loads((demo / f"{name}.json").read_text())
    x = np.array(known["rows"], np.float32)
    wanted = session(demo / f"{name}.onnx").run(None, {"X": x})
    ended = infer(server, name, "--csv", demo / f"{name}.csv", "--output", "csv", *words)
    assert ended.returncode == 0 and ended.stderr == "", ended.stderr
    header, rows = table(ended.stdout)
    assert len(rows) == len(x)
    if name == "diabetes":
        assert header == ["variable"]
        assert np.array_equal(np.array(rows, np.float32), wanted[0])
        assert np.allclose(np.array(rows, np.float64)[:, 0], known["answers"]["value"], rtol=1e-5)
        return
    assert header == ["output_label", "output_probability[0]", "output_probability[1]"]
    assert [int(r[0]) for r in rows] == wanted[0].tolist() == known["answers"]["label"]
    chances = np.array([[m[0], m[1]] for m in wanted[1]], np.float32)
    assert np.array_equal(np.array([r[1:] for r in rows], np.float32), chances)


def test_standard_input_and_rows_without_a_header(server):
    text = (demo_models() / "diabetes.csv").read_text()
    named = infer(server, "diabetes", "--csv", "-", "--output", "csv", given=text)
    bare = infer(server, "diabetes", "--csv", "-", "--output", "csv",
                 given=text.split("\n", 1)[1])
    assert named.returncode == bare.returncode == 0, bare.stderr
    assert named.stdout == bare.stdout


def test_body_of_json(server, tmp_path):
    x = np.arange(20, dtype=np.float32).reshape(2, 10)
    body, _ = oip.body_of({"X": x})
    (tmp_path / "body.json").write_bytes(body)
    (wanted,) = session(demo_models() / "diabetes.onnx").run(None, {"X": x})
    for words, given in ((["--json", tmp_path / "body.json"], None),
                         (["--json", "-"], body.decode())):
        ended = infer(server, "diabetes", *words, "--output", "json", given=given)
        assert ended.returncode == 0, ended.stderr
        (out,) = json.loads(ended.stdout)["outputs"]
        assert np.array_equal(np.array(out["data"], np.float32).reshape(out["shape"]), wanted)


def test_random_strings_that_the_model_cannot_take(server):
    refused(infer(server, "digits", "--random", 1), 1, "ENGINE",
            '; --random fills strings with words such as "row-')


@pytest.mark.parametrize("words", [[], ["--binary"]])
@pytest.mark.parametrize("name", ["tumor", "diabetes", "text", "pair"])
def test_random_rows_fit_every_model(server, name, words):
    ended = infer(server, name, "--random", 7, "--output", "csv", *words)
    assert ended.returncode == 0, ended.stderr
    assert len(table(ended.stdout)[1]) == 7


def test_a_version_and_a_table_for_people(server):
    ended = infer(server, "diabetes@1", "--csv", demo_models() / "diabetes.csv")
    assert ended.returncode == 0 and "\x1b" not in ended.stdout
    lines = ended.stdout.splitlines()
    assert lines[0].split() == ["row", "variable"] and lines[1].split()[0] == "1"


# Status.

def test_status_by_socket_and_by_http(server):
    told = server.status()
    for where in (["--server", server.ops], ["--socket", server.socket]):
        ended = run("status", "--json", *where)
        assert ended.returncode == 0, ended.stderr
        seen = json.loads(ended.stdout)
        assert {m["name"]: (m["digest"], m["state"]) for m in seen["models"]} == \
            {m["name"]: (m["digest"], m["state"]) for m in told["models"]}
        text = run("status", *where)
        assert text.returncode == 0
        for model in told["models"]:
            assert model["name"] in text.stdout and model["digest"] in text.stdout
        text = text.stdout.splitlines()
        (why,) = [w["text"] for w in seen["warnings"]]
        assert why.startswith('model "broken": ') and len(why) > 80
        assert f"warning: failed: {why}" in text
        workers = {r["model"] for r in seen["roles"] if r["role"] == "worker"}
        assert workers == {m["name"] for m in seen["models"]} - {"broken"}
        assert {line.split()[1] for line in text if line.startswith("worker ")} == workers
    one = run("status", "diabetes", "--server", server.ops)
    assert one.returncode == 0 and "sha256:" in one.stdout and "tumor" not in one.stdout
    refused(run("status", "nobody", "--server", server.ops), 4, "NOT_FOUND", "nobody")


@pytest.mark.parametrize("probe", ["live", "ready", "startup"])
def test_probes(server, probe):
    (nobody,) = free_ports(1)
    assert run("status", "--probe", probe, "--server", server.ops).returncode == 0
    assert run("status", "--probe", probe,
               "--server", f"http://127.0.0.1:{nobody}").returncode == 5


# Check and the rest.

@pytest.mark.parametrize("text,place,wanted", [
    ("serverr:\n  name: x\n", "1:1", "the nearest is server"),
    ("server:\n  nam: x\n", "2:3", "name"), ("limits:\n  body: 5 apples\n", "2:9", "apples"),
    ("limits:\n  body: 1KiB\n  body: 2KiB\n", "3:3", "body"),
    ("listeners:\n  data:\n    addresses: [0.0.0.0:80]\n", "3:16", "loopback"),
    ("server: [\n", "2:1", ""), ("models:\n  a b:\n    path: x.onnx\n", "2:3", "a b")])
def test_check_names_file_line_and_column(tmp_path, text, place, wanted):
    path = tmp_path / "garrison.yaml"
    path.write_text(text)
    ended = run("check", path)
    assert ended.returncode == 2, ended
    assert f"{path}:{place}: error: " in ended.stderr and wanted in ended.stderr, ended.stderr
    told = json.loads(run("check", path, "--json").stdout)
    assert told["errors"] >= 1
    assert f"{told['notes'][0]['line']}:{told['notes'][0]['column']}" == place


def test_check_passes_what_serves(server):
    ended = run("check", server.socket.parents[2] / "garrison.yaml")
    assert ended.returncode == 0, ended.stderr


def test_version_help_and_completion(server):
    told = json.loads(run("version", "--json").stdout)
    assert told["version"] == server.request("/v2").json["version"]
    assert run("version").stdout.splitlines()[0] == f"garrison {told['version']}"
    listed = run("help").stdout
    for command in ("serve", "check", "infer", "status", "version", "help", "completion"):
        assert f"\n  {command} " in listed
        about = run(command, "--help")
        assert run(command, "-h").stdout == about.stdout
        assert about.returncode == 0 and f"usage: garrison {command}" in about.stdout
        assert about.stdout == run("help", command).stdout
    script = run("completion", "bash").stdout
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0

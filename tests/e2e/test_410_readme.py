"""The commands of README.md as printed, in their order, but for ports that are free here."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from conftest import BIN, ROOT, Server, WAIT

README = (ROOT / "README.md").read_text()
BLOCKS = dict(re.findall(r"<!-- test: (\w+) -->\n(```\w+\n.*?)^```$", README, re.M | re.S))


def block(name):
    """The language and the text of a marked block."""
    language, text = re.match(r"```(\w+)\n(.*)", BLOCKS[name], re.S).groups()
    return language, text


class Reader:
    """Somebody who follows the README in a directory of their own."""

    def __init__(self, folder):
        self.folder, self.server, self.seen = folder, None, set()

    def run(self, name):
        self.seen.add(name)
        language, text = block(name)
        if self.server:
            text = text.replace("127.0.0.1:8000", f"127.0.0.1:{self.server.data_port}")
            text = text.replace("127.0.0.1:8002", f"127.0.0.1:{self.server.ops_port}")
        command = ["bash", "-ec", "set -o pipefail\n" + text]
        if language == "python":
            command = [str(ROOT / ".cache/venv/triton/bin/python"), "-c", text]
        done = subprocess.run(command, cwd=self.folder, env=self.environment(name),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=2 * WAIT)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        return done.stdout

    def environment(self, name):
        env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
        if self.server:
            ops = name == "status"
            env["GARRISON_SERVER"] = self.server.ops if ops else self.server.data
        return env

    def serve(self):
        """Starts the line of the README with free ports behind it."""
        self.seen.add("serve")
        words = block("serve")[1].split()
        assert words[:2] == ["garrison", "serve"]
        self.server = Server([self.folder / word for word in words[2:]])
        self.server.wait_started()


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    demo = folder / "build" / "demo"
    demo.mkdir(parents=True)
    subprocess.run([sys.executable, str(ROOT / "demo" / "train.py"), str(demo)], check=True)
    made = Reader(folder)
    made.run("files")
    made.serve()
    yield made
    made.server.stop()


@pytest.fixture(scope="module")
def answers(reader):
    """What scikit-learn says of rows.csv."""
    return json.loads((reader.folder / "build/demo/diabetes.json").read_text())["answers"]["value"]


def test_describes_the_model(reader):
    said = json.loads(reader.run("metadata"))
    assert said["inputs"] == [{"name": "X", "datatype": "FP32", "shape": [-1, 10]}]
    assert [o["name"] for o in said["outputs"]] == ["variable"]


def test_answers_json(reader):
    output = json.loads(reader.run("infer"))["outputs"][0]
    assert output["shape"] == [2, 1] and all(25 < v < 346 for v in output["data"])


def test_answers_a_triton_client(reader, answers):
    values = [float(v) for v in re.findall(r"[0-9][0-9.e+-]*", reader.run("triton"))]
    assert values == pytest.approx(answers, rel=1e-5)


def test_answers_rows_of_csv(reader, answers):
    lines = reader.run("csv").splitlines()
    assert lines[0].split() == ["row", "variable"]
    assert [float(line.split()[1]) for line in lines[1:]] == pytest.approx(answers, rel=1e-5)


def test_answers_random_rows(reader):
    assert json.loads(reader.run("random"))["outputs"][0]["shape"] == [3, 1]


def test_shows_what_it_does(reader):
    said = reader.run("status")
    assert "ready" in said and '{"ready":true}' in said
    assert re.search(r'inference_requests_total\{model="model",version="1",outcome="ok".*\} [1-9]',
                     said)


def test_checks_the_file_that_it_prints(reader, models):
    """The file of the README, with models where it says they are."""
    text = re.search(r"```yaml\n# garrison.yaml\n(.*?)```", README, re.S).group(1)
    churn = reader.folder / "churn.onnx"
    assert "/srv/models/churn.onnx" in text
    (reader.folder / "garrison.yaml").write_text(text.replace("/srv/models/churn.onnx", str(churn)))
    for name in ("fraud", "churn"):
        shutil.copy(models / "identity.onnx", reader.folder / f"{name}.onnx")
    assert "garrison.yaml: good, 2 models" in reader.run("check")


def test_runs_every_marked_block(reader):
    assert reader.seen == set(BLOCKS)


def test_names_every_error_that_is_sent():
    rows = re.findall(r"^ERR\((\w+), (\d+)", (ROOT / "src/base/err.def").read_text(), re.M)
    table = README.split("## Errors")[1].split("\n## ")[0]
    for name, status in rows:
        sent = name not in ("CANCELLED", "CONFLICT")  # no caller is left; no route changes anything
        assert (f"`{name}`" in table) == sent and (status in table) == sent, name


def test_names_every_command_and_flag():
    text = (ROOT / "src/cli/commands.def").read_text()
    table = README.split("## Commands")[1].split("\n## ")[0]
    for command in re.findall(r"^COMMAND\((\w+)", text, re.M):
        assert re.search(rf"`(garrison )?{command}\b", table), command
    for flag in re.findall(r'^(?:FLAG\(\w+|COMMON\()(?:, )?"(--[a-z-]+)"', text, re.M):
        assert flag in table, flag


def test_commands_stand_as_they_are_typed():
    """No word in capitals that the reader would have to replace; targets of make that exist."""
    lines = "".join(re.findall(r"^```sh\n(.*?)^```$", README, re.M | re.S))
    assert not re.search(r"(?<![\w$/])[A-Z]{3,}(?![\w=])", re.sub(r"#.*", "", lines))
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make ([a-z]+)", lines, re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_links_lead_to_files():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target

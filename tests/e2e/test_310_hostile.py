"""Models that mean harm (tests/data/models/hostile.tsv): whatever they do, the server lives, two
other models answer meanwhile, no byte of a file outside comes out, memory comes back, and the
benign twin of each loads and answers."""

import pathlib
import sys

import numpy as np
import pytest

from conftest import ROOT, Server, wait_for
from live import yaml
from load import Load, ask, post, role_pid
from oip import NUMPY

sys.path.insert(0, str(ROOT / "tests" / "models"))
import hostile  # noqa: E402

NEAR = {"a-near": "matmul", "a-nearer": "regressor"}
OVER = ("ready", "failed", "quarantined")
SHARES = 3  # servers, each with a share of the rows
SPARE = 64 << 20  # what keeper and fronts may keep of so many models, bytes


@pytest.fixture(scope="module")
def rows():
    return list(hostile.rows())


@pytest.fixture(scope="module")
def made(tmp_path_factory, rows):
    """{id: path of its model}"""
    out = tmp_path_factory.mktemp("hostile")
    out.chmod(0o755)
    return {row["id"]: hostile.make(out, row) for row in rows}


def test_table(rows):
    """At least 40 hostile rows of distinct form, each with a twin that is benign."""
    by_id = {row["id"]: row for row in rows}
    bad = [row for row in rows if row["expected"] != "benign"]
    assert len(by_id) == len(rows)
    assert len({(r["generator"], r["arguments"]) for r in bad}) >= 40
    assert sum(r["generator"] == "mutant" for r in bad) >= 60
    for row in bad:
        assert row["expected"] in ("refused", "any")
        assert by_id[row["twin"]]["expected"] == "benign"
        assert by_id[row["twin"]]["generator"] == row["generator"]


def resident(pid):
    """Private memory of a process, bytes."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return sum(int(line.split()[1]) << 10 for line in text.splitlines()
               if line.startswith("RssAnon:"))


def zeros(server, name):
    """A request of the smallest lawful inputs that the model's own metadata names."""
    told = server.request(f"/v2/models/{name}").json
    made = {}
    for entry in told["inputs"]:
        shape = [min(max(d, 1), 64) for d in entry["shape"]]
        kind = NUMPY[entry["datatype"]]
        made[entry["name"]] = np.full(shape, b"x" if kind is object else 0, kind)
    return made


def unmarked(*texts):
    for text in texts:
        data = text if isinstance(text, bytes) else text.encode(errors="replace")
        assert hostile.MARKER not in data and b"env-marker-7f3a" not in data


def probe(server, row):
    """Asks a model that has loaded; returns what came."""
    name = row["id"]
    reply = ask(server, name, zeros(server, name), binary=True, timeout_ms=1500)
    unmarked(reply[2], str(reply[1]))
    return reply


def states(server):
    return {m["name"]: m for m in server.status()["models"]}


def judge(server, row, state):
    """What a row of the table says against what came."""
    if row["expected"] == "refused":
        assert state["state"] == "failed", (row["id"], state)
        assert row["reason"] == "-" or row["reason"] in state["text"], (row["id"], state)
    if row["expected"] == "benign":
        assert state["state"] == "ready", (row["id"], state)
    if state["state"] == "ready":
        status, _, body, _ = probe(server, row)
        assert row["expected"] != "benign" or status == 200, (row["id"], body)
    else:
        assert state["state"] in OVER and state["text"], row["id"]
        status, _, body, _ = post(server, f"/v2/models/{row['id']}/infer", b'{"inputs":[]}')
        assert status in (503, 404, 400), (row["id"], status)
        unmarked(body)


def configuration(models, made, share):
    paths = {**{n: models / f"{m}.onnx" for n, m in NEAR.items()},
             **{row["id"]: made[row["id"]] for row in share}}
    return {"worker": {"loads": 2, "quarantine": "1/60s", "stall": "4s"},
            "server": {"loops": 1},
            "defaults": {"load_timeout": "6s"},
            "models": {name: {"path": path} for name, path in paths.items()}}


@pytest.mark.release_only
@pytest.mark.parametrize("share", range(SHARES))
def test_no_harm(tmp_path, models, rows, made, share):
    mine = rows[share::SHARES]
    (tmp_path / "g.yaml").write_text(yaml(configuration(models, made, mine)) + "\n")
    server = Server(["--config", tmp_path / "g.yaml", "--data-dir", tmp_path / "data"],
                    env={"GARRISON_TEST_CANARY": "env-marker-7f3a"})
    try:
        for name in NEAR:
            server.wait_model(name)
        pids = [server.pid, role_pid(server, "data_front"), role_pid(server, "ops_front")]
        before = sum(map(resident, pids))
        with Load(server, models, NEAR, threads=1) as load:
            wait_for("every model to be ready or refused", lambda: all(
                m["state"] in OVER for m in states(server).values()), 180)
            load.advance()
            told = states(server)
            for row in mine:
                judge(server, row, told[row["id"]])
            load.advance()
        assert pids == [server.pid, role_pid(server, "data_front"), role_pid(server, "ops_front")]
        assert sum(map(resident, pids)) - before < SPARE
        wait_for("workers of none but models that are ready or come back", lambda: len(
            [r for r in server.status()["roles"] if r["role"] == "worker"]) <= sum(
                m["state"] not in ("failed", "quarantined") for m in states(server).values()))
        unmarked(server.request("/metrics", base=server.ops).body,
                 server.request("/api/v1/status", base=server.ops).body)
        assert server.request("/livez", base=server.ops).status == 200
    finally:
        server.stop()
    unmarked(*server.lines, *server.errors)
    assert server.process.returncode == 0

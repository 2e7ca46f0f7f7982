"""Models and workers that go wrong while they run: two other models must not notice."""

import shutil
import sys

import numpy as np
import pytest

from conftest import BIN, ROOT, Server, wait_for
from live import moved, running, yaml
from load import Load, answers, ask, gone, role_pid, state_of, worker_of

sys.path.insert(0, str(ROOT / "tests" / "models"))
import hostile  # noqa: E402

NEAR = {"near": "matmul", "nearer": "regressor"}
FOREVER = {"n": np.array([1 << 62], np.int64)}
# Rows of `lies` in tests/tools/lying_worker.c: those the front must catch, and deaths.
LIES = ("slot", "unsent", "generation", "count", "twice", "status", "outputs", "length", "offset",
        "rank", "dims", "dtype", "text", "scribble", "crash", "abort", "call",
        "admin", "message")
LIARS = [f"liar{i}" for i in range(6)]  # many, since each death doubles the wait for the next start
DEATHS = {"crash": "crash", "abort": "crash", "call": "sandbox",
          "admin": "crash", "message": "crash"}


@pytest.fixture(scope="module")
def server(tmp_path_factory, models):
    folder = tmp_path_factory.mktemp("run")
    grows = folder / "grows.onnx"
    grows.write_bytes(hostile.model(
        [hostile.node("Expand", ["one", "n"], ["y"])],
        [hostile.tensor("n", hostile.T.INT64, [1])], [hostile.tensor("y", hostile.T.FLOAT, ["m"])],
        [hostile.constant("one", np.ones(1, np.float32))]).SerializeToString())
    shapes = folder / "shapes.onnx"  # says [-1,2], gives what it is asked for
    shapes.write_bytes(hostile.model(
        [hostile.node("Reshape", ["x", "n"], ["y"])],
        [hostile.tensor("x", hostile.T.FLOAT, ["a"]), hostile.tensor("n", hostile.T.INT64, ["b"])],
        [hostile.tensor("y", hostile.T.FLOAT, ["c", 2])]).SerializeToString())
    paths = {**{n: models / f"{m}.onnx" for n, m in NEAR.items()},
             "spins": models / "spin.onnx", "bomb": models / "bomb.onnx",
             "shapes": shapes, "deep": models / "chain_3000.onnx",
             "grows": {"path": grows, "lane_reply": "4KiB"}}
    config = {"server": {"loops": 1}, "worker": {"quarantine": "2/60s"}}
    with running(folder, paths, config) as started:
        yield started


def test_endless(server, models):
    """An endless run is ended at its deadline, and the same worker goes on."""
    before = server.metrics()
    worker = worker_of(server, "spins")
    with Load(server, models, NEAR) as load:
        status, _, body, took = ask(server, "spins", FOREVER, timeout_ms=700)
        assert status == 504, body
        assert 0.6 < took < 0.7 + 1 + 1
        load.advance()
        answers(server, models, "spin", "spins")
    assert worker_of(server, "spins") == worker, "the run was ended, not the worker"
    moved(server, before, "garrison_inference_requests_total", 1, model="spins", reason="running")
    wait_for("nothing in flight", lambda: server.metrics()[
        'garrison_inference_in_flight{model="spins",version="1"}'] == 0)


def test_allocation(server, models):
    """A run that wants 64 GiB fails alone, by limit; memory comes back."""
    with Load(server, models, NEAR) as load:
        for power in (30, 34, 40, 61):
            status, _, body, _ = ask(server, "bomb", {"n": np.array([1 << power], np.int64)})
            assert status in (500, 503), (power, status, body)
            load.advance(2)
        wait_for("bomb to answer", lambda: ask(server, "bomb", {"n": np.array([1000])})[0] == 200)
        answers(server, models, "bomb")
    assert state_of(server, "bomb")["rss_bytes"] < 256 << 20


def test_reply_too_big(server, models):
    """A reply larger than lane_reply fails with the setting's name; the next one is answered."""
    before = server.metrics()
    with Load(server, models, NEAR, threads=1):
        status, _, body, _ = ask(server, "grows", {"n": np.array([5000])}, binary=True)
        assert status == 500 and b"lane_reply" in body, body
        status, _, body, _ = ask(server, "grows", {"n": np.array([500])}, binary=True)
        assert status == 200 and body.endswith(np.ones(500, np.float32).tobytes()), body
    moved(server, before, "garrison_inference_requests_total", 1, model="grows",
          reason="reply_too_big")


def test_output_invalid(server, models):
    """A model that breaks its own signature is not answered with what it made."""
    before, worker = server.metrics(), worker_of(server, "shapes")
    x = np.arange(4, dtype=np.float32)
    with Load(server, models, NEAR, threads=1):
        for shape in ([4], [4, 1], [1, 2, 2]):
            status, _, body, _ = ask(server, "shapes", {"x": x, "n": np.array(shape)}, binary=True)
            assert status == 500 and b"signature" in body, (shape, status, body)
        status, _, body, _ = ask(server, "shapes", {"x": x, "n": np.array([2, 2])}, binary=True)
        assert status == 200 and body.endswith(x.tobytes()), body
    assert worker_of(server, "shapes") == worker, "no fault of the worker"
    moved(server, before, "garrison_inference_requests_total", 3, model="shapes",
          reason="output_invalid")


def test_load_that_dies(server, models):
    """The runtime dies by SIGSEGV of this model: it is quarantined, and nothing else happens."""
    with Load(server, models, NEAR, threads=1):
        told = wait_for("an end of deep", lambda: (s := state_of(server, "deep"))["state"] in (
            "quarantined", "failed") and s)
        assert told["text"]
        assert ask(server, "deep", {"x": np.ones((1, 4), np.float32)})[0] == 503
        assert server.metrics()['garrison_role_up{role="worker"}'] == 6


# --- a worker that lies --------------------------------------------------------------------------

@pytest.fixture(scope="module")
def liar(tmp_path_factory, models):
    """A server whose every worker can lie; only the LIARS are asked to."""
    found = [p for p in (BIN / "lying_worker", ROOT / "build" / "release" / "lying_worker")
             if p.exists()]
    assert found, "lying_worker is not built"
    home = tmp_path_factory.mktemp("liar")
    shutil.copy2(BIN / "garrison", home / "garrison")
    shutil.copy2(found[0], home / "garrison-worker")
    (home / "libonnxruntime.so").symlink_to((BIN / "libonnxruntime.so").resolve())
    paths = {**{n: models / f"{m}.onnx" for n, m in NEAR.items()},
             **{n: models / "identity_fp32.onnx" for n in LIARS}}
    config = {"server": {"loops": 1}, "worker": {"quarantine": "60/60s"},
              "models": {n: {"path": p} for n, p in paths.items()}}
    (home / "g.yaml").write_text(yaml(config) + "\n")
    started = Server(["--config", home / "g.yaml", "--data-dir", home / "data"],
                     binary=home / "garrison")
    try:
        started.wait_started()
        yield started
    finally:
        started.stop()
    reports = [e for e in started.errors if "Sanitizer" in e or "runtime error:" in e]
    assert not reports, "\n".join(started.errors[-60:])


def violations(server, model):
    return server.metrics().get(
        f'garrison_lane_violations_total{{model="{model}",version="1"}}', 0)


@pytest.mark.parametrize("name", LIES)
def test_lie(liar, models, name):
    """The lie is counted, its worker killed, its requests answered 503, and nobody else notices."""
    number = LIES.index(name)
    model = LIARS[number % len(LIARS)]
    victim = wait_for("the liar", lambda: worker_of(liar, model))
    front = role_pid(liar, "data_front")
    before, exits = violations(liar, model), liar.metrics()
    with Load(liar, models, NEAR, threads=1) as load:
        status, _, body, _ = ask(liar, model, {
            "INPUT0": np.full((1, 4), 7000 + number, np.float32)}, binary=True, timeout_ms=20000)
        assert status == 503, body
        wait_for("the liar's end", lambda: gone(victim))
        wait_for("another worker", lambda: worker_of(liar, model) not in (None, victim))
        load.advance(2)
        answers(liar, models, "identity_fp32", model)
    if name in DEATHS:
        moved(liar, exits, "garrison_worker_exits_total", 1, model=model, reason=DEATHS[name])
        assert violations(liar, model) == before
    else:
        wait_for("the violation to be counted", lambda: violations(liar, model) > before)
    assert role_pid(liar, "data_front") == front, "the front lived on"

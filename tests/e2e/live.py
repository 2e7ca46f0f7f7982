"""Servers that a whole test file shares, each with a data directory and a configuration of its own."""

import contextlib
import re
import subprocess
import sys

import onnxruntime

from conftest import ROOT, Server, wait_for

DEMO = ROOT / ".cache" / "models" / "demo"


def yaml(value, indent=0):
    """Block YAML of nested dicts; lists and scalars in flow form."""
    lines = []
    for key, item in value.items():
        if isinstance(item, dict):
            lines += [" " * indent + f"{key}:", yaml(item, indent + 2)]
        elif isinstance(item, list):
            lines.append(" " * indent + f"{key}: [{', '.join(map(str, item))}]")
        else:
            text = str(item).lower() if isinstance(item, bool) else item
            lines.append(" " * indent + f"{key}: {text}")
    return "\n".join(lines)


@contextlib.contextmanager
def running(folder, models=None, config=None, args=(), wait=True):
    """A server with models {name: path, or a dict of settings} and the configuration's other
    sections. A report of a sanitizer fails whoever used it."""
    whole = {"drain": {"delay": "0s"}, **(config or {})}
    if models:
        whole["models"] = {n: m if isinstance(m, dict) else {"path": m} for n, m in models.items()}
    folder.mkdir(parents=True, exist_ok=True)
    words = ["--data-dir", folder / "data", *args]
    (folder / "garrison.yaml").write_text(yaml(whole) + "\n")
    words += ["--config", folder / "garrison.yaml"]
    server = Server(words)
    try:
        if wait:
            server.wait_started()
        yield server
    finally:
        server.stop()
        reports = [e for e in server.errors if "Sanitizer" in e or "runtime error:" in e]
        assert not reports, "\n".join(server.errors[-60:])


def demo_models():
    """tumor and diabetes as `make demo` trains them."""
    if not (DEMO / "diabetes.json").exists() or not (DEMO / "tumor.json").exists():
        DEMO.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, str(ROOT / "demo" / "train.py"), str(DEMO)], check=True)
    return DEMO


def session(path):
    """ONNX Runtime with the session options of the worker."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def moved(server, before, name, want, **labels):
    """Waits until a sample has grown by exactly `want` since `before`, a dict of metrics()."""
    found = lambda page: sum(v for k, v in page.items() if sample_is(k, name, labels))
    start = found(before)
    wait_for(f"{name} {labels} +{want}", lambda: found(server.metrics()) - start >= want)
    assert found(server.metrics()) - start == want


def sample_is(key, name, labels):
    have = dict(re.findall(r'(\w+)="([^"]*)"', key))
    return key.split("{")[0] == name and all(have.get(k) == v for k, v in labels.items())

"""What a worker may and does not do, looked at from outside while it serves.

As root the server runs in a network namespace of its own, whose default route leads to a device
that counts; the runtime's telemetry would wake about 9 s after a load (CI is unset, as it must be).
"""

import json
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import tempfile
import textwrap

import numpy as np
import pytest

from conftest import BIN, Reply, Server, wait_for
from load import case, role_pid, worker_of
from oip import body_of, outputs_of

ROOT_USER = os.geteuid() == 0
AGE = 12  # seconds after the load, past the time at which telemetry would start
NAMESPACE = """\
#!/bin/sh
set -e
ip link set lo up
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
ip link add out0 type veth peer name out1
ip addr add 198.51.100.1/24 dev out0
ip link set out0 up
ip link set out1 up
ip route add default via 198.51.100.2 dev out0
exec {binary} "$@"
"""


class Inside(Server):
    """A server whose ports are asked from within its network namespace."""

    def request(self, path, body=None, headers=None, method=None, base=None, timeout=30):
        data = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        words = ["curl", "-sS", "--max-time", str(timeout), "-D", "-", "--noproxy", "*",
                 (base or self.data) + path]
        for key, value in (headers or {}).items():
            words += ["-H", f"{key}: {value}"]
        words += ["--data-binary", "@-", "-H", "Expect:"] if data is not None else []
        words += ["-X", method] if method else []
        ran = subprocess.run([*self.enter(), *words], input=data, capture_output=True, check=False)
        if ran.returncode:
            raise OSError(ran.stderr.decode())
        head, _, rest = ran.stdout.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:])
        return Reply(int(lines[0].split()[1]), {k.lower(): v for k, v in fields.items()}, rest)

    def enter(self):
        return ["nsenter", "-t", str(self.pid), "-n"]


@pytest.fixture(scope="module")
def server(tmp_path_factory, models):
    """It has its own HOME and TMPDIR, empty, to see what is made there."""
    folder = tmp_path_factory.mktemp("sandbox")
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    words = ["--model", f"m={models}/matmul.onnx", "--model", f"t={models}/boost_string.onnx",
             "--data-dir", folder / "data"]
    env = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"),
           "ORT_LOAD_CONFIG_FROM_MODEL": "1", "GARRISON_TEST_CANARY": "not for workers"}
    if ROOT_USER:
        inner, outer = folder / "inner", folder / "outer"
        inner.write_text(NAMESPACE.format(binary=BIN / "garrison"))
        outer.write_text(f'#!/bin/sh\nexec unshare -n {inner} "$@"\n')
        inner.chmod(0o755)
        outer.chmod(0o755)
        started = Inside(words, env=env, binary=outer)
    else:
        started = Server(words, env=env)
    started.folder = folder
    try:
        yield started.wait_started().wait_model("m").wait_model("t")
    finally:
        started.stop()


def ask(server, models, name, model):
    arrays, want = case(models, name)
    body, headers = body_of(arrays, binary=True, binary_out=True)
    reply = server.request(f"/v2/models/{model}/infer", body, headers)
    assert reply.status == 200, reply.body
    made, _ = outputs_of(reply.body, {k.lower(): v for k, v in reply.headers.items()})
    for key, array in want.items():
        assert made[key][1].tolist() == array.tolist()


def workers(server):
    found = [worker_of(server, name) for name in ("m", "t")]
    assert all(found) and found[0] != found[1]
    return found


def field(pid, name):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name + ":"):
            return line.split(":", 1)[1].strip()
    return None


def test_status(server):
    """Every thread is under the filter; no role gains privileges."""
    for pid in workers(server):
        threads = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
        assert len(threads) >= 3
        for thread in threads:
            told = (thread / "status").read_text(encoding="ascii")
            assert "\nSeccomp:\t2\n" in told and "\nNoNewPrivs:\t1\n" in told
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
        rows = {line[:26].strip(): line[26:].split()[:2] for line in limits.splitlines()[1:]}
        assert rows["Max core file size"] == ["0", "0"]
        assert rows["Max file size"] == ["0", "0"]
        assert rows["Max processes"] == ["0", "0"]
        assert rows["Max data size"][0].isdigit() and int(rows["Max data size"][0]) < 1 << 30
        assert int(rows["Max open files"][0]) < 64
    for role in ("data_front", "ops_front"):
        assert field(role_pid(server, role), "NoNewPrivs") == "1"
    assert server.status()["sandbox"] == "full"


@pytest.mark.skipif(not ROOT_USER, reason="only root may look into a worker that is not dumpable")
def test_environment_and_descriptors(server):
    """Exactly three variables; nothing open but sockets of ours, pipes, eventfds, memfds, null."""
    for pid in workers(server):
        environ = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        assert sorted(filter(None, environ)) == [
            b"LC_ALL=C.UTF-8", b"ORT_DISABLE_TELEMETRY=1", b"TZ=UTC"]
        ends = [os.readlink(entry) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
        allowed = ("/dev/null", "pipe:", "socket:", "anon_inode:[eventfd", "/memfd:")
        assert all(end.startswith(allowed) for end in ends), ends
        held = {end[8:-1] for end in ends if end.startswith("socket:")}
        assert len(held) == 1, "the control link"
        for table in ("tcp", "tcp6", "udp", "udp6", "raw", "packet"):
            text = pathlib.Path(f"/proc/{pid}/net/{table}")
            rows = text.read_text(encoding="ascii").splitlines()[1:] if text.exists() else []
            assert not held & {word for row in rows for word in row.split()}, table


@pytest.mark.skipif(ROOT_USER, reason="root may read the worker's entries in /proc")
def test_not_dumpable(server):
    """Another process of the same user cannot look into a worker."""
    for pid in workers(server):
        with pytest.raises(PermissionError):
            pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        with pytest.raises(PermissionError):
            pathlib.Path(f"/proc/{pid}/mem").read_bytes()


def age(pid):
    started = int(pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
                  .rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
    return float(pathlib.Path("/proc/uptime").read_text(encoding="ascii").split()[0]) - started


def test_quiet(server, models):
    """Seconds after the load there is no file in HOME or TMPDIR and no packet on the way out."""
    pids = workers(server)
    ask(server, models, "matmul", "m")
    threads = [len(list(pathlib.Path(f"/proc/{p}/task").iterdir())) for p in pids]
    wait_for("the workers' age", lambda: min(map(age, pids)) > AGE, AGE + 10)
    ask(server, models, "matmul", "m")
    ask(server, models, "boost_string", "t")
    assert workers(server) == pids
    assert threads == [len(list(pathlib.Path(f"/proc/{p}/task").iterdir())) for p in pids]
    made = [str(p) for name in ("home", "tmp") for p in (server.folder / name).rglob("*")]
    assert made == []


def sent(server):
    """Packets sent by devices other than loopback."""
    text = pathlib.Path(f"/proc/{server.pid}/net/dev").read_text(encoding="ascii")
    rows = [line.replace(":", " ").split() for line in text.splitlines()[2:]]
    assert "out0" in [row[0] for row in rows]
    return sum(int(row[10]) for row in rows if row[0] != "lo")


@pytest.mark.skipif(not ROOT_USER, reason="only root makes a network namespace that counts packets")
def test_no_packet(server):
    """Runs after test_quiet: 0 packets; and the counter does count."""
    wait_for("the workers' age", lambda: min(map(age, workers(server))) > AGE, AGE + 10)
    assert sent(server) == 0
    shout = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', " \
            "('203.0.113.1', 53))"
    subprocess.run([*server.enter(), sys.executable, "-c", shout], check=True)
    wait_for("the counter to move", lambda: sent(server) > 0)


@pytest.mark.skipif(not ROOT_USER, reason="runs as an ordinary user already")
def test_ordinary_user(models):
    """The whole server as `nobody`: what needs root has another way or is not needed."""
    nobody = pwd.getpwnam("nobody")
    home = pathlib.Path(tempfile.mkdtemp(prefix="garrison-nobody."))
    try:
        for name in ("garrison", "garrison-worker"):
            shutil.copy2(BIN / name, home / name)
        shutil.copy2((BIN / "libonnxruntime.so").resolve(), home / "libonnxruntime.so")
        shutil.copy2(models / "matmul.onnx", home / "m.onnx")
        (home / "run").write_text(textwrap.dedent(f"""\
            #!/bin/sh
            exec setpriv --reuid={nobody.pw_uid} --regid={nobody.pw_gid} --clear-groups \\
                {home}/garrison "$@"
            """))
        (home / "run").chmod(0o755)
        for path in (home, *home.iterdir()):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        server = Server([home / "m.onnx", "--data-dir", home / "data"], binary=home / "run",
                        env={"HOME": str(home)})
        try:
            server.wait_started().wait_model("m")
            ask(server, models, "matmul", "m")
            worker = worker_of(server, "m")
            assert field(worker, "Uid").split()[0] == str(nobody.pw_uid)
            assert field(worker, "Seccomp") == "2"
            assert server.status()["sandbox"] == "full"
            assert np.all([r["rss_bytes"] > 0 for r in server.status()["roles"]])
        finally:
            assert server.stop() == 0
    finally:
        shutil.rmtree(home)

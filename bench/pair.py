#!/usr/bin/env python3
"""Measures the figures of bench/figures.tsv and appends them to bench/results.tsv.

usage: pair.py WORKDIR [FIGURE...]     WORKDIR holds what bench/models.py made; run from the root

Pairs alternate the ceiling (bench_echo: the same bytes in, a saved answer out) and the product,
ABBA, and with them the same runs made in-process, which are nobody's front end. All roles run on
core 0, the client on core 1. CPU is read from schedstat of every thread, so it is that of the
scheduler, in ns. Of each ratio the median over the pairs counts; its quartiles stand beside it.
"""

import csv
import datetime
import http.client
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

BUILD = Path(os.environ.get("BENCH_BUILD", "build/release"))
RUNTIME = Path(".cache/runtime/libonnxruntime.so")
RESULTS = Path(os.environ.get("BENCH_RESULTS", "bench/results.tsv"))
COLUMNS = ["date", "commit", "machine", "figure", "value", "unit", "bar", "holds"]
PAIRS = int(os.environ.get("BENCH_PAIRS", "14"))
SERVER_CORE, CLIENT_CORE = 0, 1
CLIENT_SHARE_MAX = 0.9
START_S = 30
SETTLE_S = 0.06  # the log thread's turn is 20 ms


def on_core(core, *command):
    return ["taskset", "-c", str(core), *map(str, command)]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def family(pid):
    """The process and all that descend from it."""
    found, look = [], [pid]
    while look:
        at = look.pop()
        found.append(at)
        for children in Path(f"/proc/{at}/task").glob("*/children"):
            look += [int(p) for p in children.read_text().split()]
    return found


def cpu_ns(pid):
    total = 0
    for p in family(pid):
        for stat in Path(f"/proc/{p}/task").glob("*/schedstat"):
            total += int(stat.read_text().split()[0])
    return total


class Product:
    """The server in its default configuration, its access log in a pipe that cat empties."""

    def __init__(self, work, models):
        self.port, self.ops = free_port(), free_port()
        self.cat = subprocess.Popen(on_core(CLIENT_CORE, "cat"), stdin=subprocess.PIPE,
                                    stdout=subprocess.DEVNULL)
        (work / "empty.yaml").touch()
        what = [work / f"{m}.onnx" for m in models] or ["--config", work / "empty.yaml"]
        command = on_core(SERVER_CORE, BUILD / "garrison", "serve", *what,
                          "--listen", f"127.0.0.1:{self.port}",
                          "--ops-listen", f"127.0.0.1:{self.ops}", "--data-dir", work / "data")
        self.log = open(work / "server.log", "wb")
        self.began = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.cat.stdin,
                                        stderr=self.log)
        self.cat.stdin.close()
        self.pid = self.process.pid
        self.wait_ready()

    def wait_ready(self):
        while time.monotonic() < self.began + START_S and self.process.poll() is None:
            try:
                if self.get("/v2/health/ready")[0] == 200:
                    self.ready_s = time.monotonic() - self.began
                    return
            except OSError:
                pass
            time.sleep(0.0005)
        sys.exit(f"pair: the server is not ready after {START_S} s; see {self.log.name}")

    def get(self, path):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        c.request("GET", path)
        reply = c.getresponse()
        return reply.status, reply.read()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.send_signal(signal.SIGTERM)  # the second skips the drain delay
        self.process.wait(timeout=START_S)
        self.cat.wait(timeout=START_S)
        self.log.close()


class Echo:
    def __init__(self, answer):
        self.port = free_port()
        self.process = subprocess.Popen(
            on_core(SERVER_CORE, BUILD / "bench_echo", self.port, answer), stdout=subprocess.PIPE)
        self.pid = self.process.pid
        self.process.stdout.readline()

    def stop(self):
        self.process.kill()
        self.process.wait()


def load(port, connections, replies, request, save=None):
    """One run of the client. returns a dict of its figures"""
    command = on_core(CLIENT_CORE, BUILD / "bench_load", port, connections, replies, request,
                      *([save] if save else []))
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    names = ["replies", "seconds", "rate", "p50", "p99", "own_cpu", "bytes_s", "not_200"]
    got = dict(zip(names, map(float, out.split())))
    if got["not_200"]:
        sys.exit(f"pair: {got['not_200']:.0f} answers of {request} are not 200")
    got["share"] = got["own_cpu"] / got["seconds"]
    return got


def measured(server, connections, replies, request):
    time.sleep(SETTLE_S)
    before = cpu_ns(server.pid)
    got = load(server.port, connections, replies, request)
    time.sleep(SETTLE_S)
    got["cpu"] = (cpu_ns(server.pid) - before) / replies
    return got


def in_process(model, runs):
    """CPU and wall ns of a run without a server."""
    env = dict(os.environ, ORT_DISABLE_TELEMETRY="1")
    command = on_core(SERVER_CORE, BUILD / "bench_inproc", RUNTIME, model, 1, runs)
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout
    _, cpu, wall = map(float, out.split())
    return {"cpu": cpu, "wall": wall}


def abba(sides, pairs=PAIRS):
    """Runs the sides in turn, forwards and backwards. returns a list of results, one a pair"""
    rows = []
    for i in range(pairs):
        order = list(sides) if i % 2 == 0 else list(reversed(sides))
        rows.append({name: sides[name]() for name in order})
    return rows


def middle(values):
    q = statistics.quantiles(values, n=4)
    return statistics.median(values), q[0], q[2]


def spread(name, values):
    m, low, high = middle(values)
    return [(name, m), (f"{name}_q1", low), (f"{name}_q3", high)]


def paired(work, model, connections, replies, runs, request=None):
    """Pairs of echo, product and in-process runs of one model. returns rows, worst client share"""
    request = work / f"{request or model}.request"
    product = Product(work, [model])
    load(product.port, connections, max(200, replies // 10), request, work / "answer")
    echo = Echo(work / "answer")
    try:
        rows = abba({
            "echo": lambda: measured(echo, connections, replies, request),
            "product": lambda: measured(product, connections, replies, request),
            "alone": lambda: in_process(work / f"{model}.onnx", runs),
        })
    finally:
        echo.stop()
        product.stop()
    share = max(statistics.median(r[s]["share"] for r in rows) for s in ("echo", "product"))
    if share > CLIENT_SHARE_MAX:
        print(f"pair: the client used {share:.0%} of its core", file=sys.stderr)
    return rows, share


def small(work, connections, replies):
    rows, share = paired(work, "identity", connections, replies, replies)
    name = f"{connections}x1k"
    ours = [(r["product"]["cpu"] - r["alone"]["cpu"]) / r["echo"]["cpu"] for r in rows]
    found = spread(f"cpu_{name}", ours)
    found += [(f"cpu_{name}_{side}_us", statistics.median(r[side]["cpu"] for r in rows) / 1e3)
              for side in ("echo", "product", "alone")]
    found += [(f"rate_{name}_{side}", statistics.median(r[side]["rate"] for r in rows))
              for side in ("echo", "product")]
    if connections == 1:
        found += spread("p50_1x1k", [r["product"]["p50"] / r["echo"]["p50"] for r in rows])
        found += [(f"p50_1x1k_{side}_us", statistics.median(r[side]["p50"] for r in rows))
                  for side in ("echo", "product")]
    return found + [(f"cpu_{name}_client_share", share)]


def wide(work):
    rows, share = paired(work, "wide", 4, 1500, 500)
    found = spread("bytes_600k", [r["product"]["bytes_s"] / r["echo"]["bytes_s"] for r in rows])
    found += [(f"bytes_600k_{side}_mb_s", statistics.median(r[side]["bytes_s"] for r in rows) / 1e6)
              for side in ("echo", "product")]
    return found + [("bytes_600k_client_share", share)]


def work_1ms(work):
    rows, _ = paired(work, "work", 8, 600, 600)
    found = spread("work_1ms", [r["product"]["rate"] * r["alone"]["wall"] / 1e9 for r in rows])
    return found + [("work_1ms_run_us", statistics.median(r["alone"]["wall"] for r in rows) / 1e3)]


def json_read(_work):
    ratios = []
    for _ in range(PAIRS):
        out = subprocess.run(on_core(SERVER_CORE, BUILD / "bench_json_read"), check=True,
                             capture_output=True, text=True).stdout
        ratios.append(float(out.split("index and fill")[1].split("ratio")[1]))
    return spread("json_read", ratios)


def json_150k(work):
    product = Product(work, ["wide"])
    try:
        load(product.port, 1, 20, work / "wide_json.request")
        times = [load(product.port, 1, 20, work / "wide_json.request")["p50"] / 1e3
                 for _ in range(PAIRS)]
    finally:
        product.stop()
    return spread("json_150k", times)


def pss_idle(work):
    product = Product(work, [])
    time.sleep(1)
    total = 0
    for pid in family(product.pid):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    product.stop()
    return [("pss_idle", total / 1e6)]


def start_ready(work):
    def empty():
        began = time.monotonic()
        subprocess.run(on_core(SERVER_CORE, "true"), check=True)
        return time.monotonic() - began

    def product():
        p = Product(work, [])
        p.stop()
        return p.ready_s

    rows = abba({"empty": empty, "product": product})
    return spread("start_ready", [(r["product"] - r["empty"]) * 1e3 for r in rows])


FIGURES = {
    "cpu_32x1k": lambda w: small(w, 32, 20000),
    "cpu_1x1k": lambda w: small(w, 1, 10000),
    "bytes_600k": wide,
    "json_read": json_read,
    "json_150k": json_150k,
    "work_1ms": work_1ms,
    "pss_idle": pss_idle,
    "start_ready": start_ready,
}


def unit_of(name, facts):
    for end, unit in (("_us", "us"), ("_mb_s", "MB/s"), ("_client_share", "ratio")):
        if name.endswith(end):
            return unit
    if name.startswith("rate_"):
        return "replies/s"
    return facts[name.removesuffix("_q1").removesuffix("_q3")]["unit"]


def verdict(bar, value):
    if not bar:
        return ""
    sign, limit = bar.split()
    return "yes" if (value <= float(limit) if sign == "<=" else value >= float(limit)) else "no"


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo")
                  if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} x {model}, {memory:.0f} GB, Linux {platform.release()}"


def commit():
    def git(*words):
        return subprocess.run(["git", *words], capture_output=True, text=True).stdout.strip()
    changed = git("status", "--porcelain", "--untracked-files=no", "src")
    return (git("rev-parse", "--short", "HEAD") or "none") + ("+" if changed else "")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    work, wanted = Path(sys.argv[1]), sys.argv[2:] or list(FIGURES)
    for name in wanted:
        if name not in FIGURES:
            sys.exit(f"pair: no figure {name}; there are {' '.join(FIGURES)}")
    with open("bench/figures.tsv", newline="") as f:
        facts = {row["figure"]: row for row in csv.DictReader(f, delimiter="\t")}
    with open(RESULTS, "a", newline="") as f:
        out = csv.writer(f, delimiter="\t", lineterminator="\n")
        if f.tell() == 0:
            out.writerow(COLUMNS)
        where, which = machine(), commit()
        for name in wanted:
            for figure, value in FIGURES[name](work):
                bar = facts[figure]["bar"] if figure in facts else ""
                row = [datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%MZ"),
                       which, where, figure, f"{value:.4g}" if value < 1e4 else f"{value:.0f}",
                       unit_of(figure, facts), bar, verdict(bar, value)]
                out.writerow(row)
                f.flush()
                print("  ".join(row[3:]).rstrip(), flush=True)


if __name__ == "__main__":
    main()

"""Load a real service: start `kivuko serve` on loopback, ask it with 1, 8 and 64 clients, and say how it took that.

    python benchmarks/serve.py --index INDEX --model sw=STUDENT --queries queries.jsonl          a table on stdout
    python benchmarks/serve.py ... --json                                                        the same as JSON

Every client asks one query after the other over one connection, for --seconds in all, or until --requests have been
asked; one that is told 429 waits as long as Retry-After says, as it should. Times are those of requests that were
answered, from sending to the last byte, as a client sees them. `timeouts` is 504, `errors` whatever is none of these.
`cpu ms` is the CPU time of the service for each request that was answered (Linux): what a busy machine disturbs least.
"""

import argparse
import http.client
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from kivuko.data.collections import read_queries

CLIENTS = (1, 8, 64)


@dataclass
class Tally:
    """What the clients of one run saw."""

    seconds: list[float] = field(default_factory=list)
    busy: int = 0
    timeouts: int = 0
    errors: int = 0


@dataclass(frozen=True)
class Result:
    """One run."""

    clients: int
    answered: int
    per_second: float
    cpu_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    busy_429: int
    timeouts_504: int
    errors: int


def ask(body: bytes, connection: http.client.HTTPConnection) -> tuple[int, float]:
    """Ask one query; return the status and how long to wait before the next one."""
    connection.request("POST", "/api/search", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status, float(answer.headers.get("Retry-After", 0))


def cpu_seconds(process: int) -> float:
    """Return the CPU time that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(process: int, port: int, bodies: list[bytes], clients: int, seconds: float, requests: int) -> Result:
    """Ask with so many clients at once."""
    tally, lock, numbers = Tally(), threading.Lock(), itertools.count()
    start, used = time.perf_counter(), cpu_seconds(process)
    end = start + seconds

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while (now := time.perf_counter()) < end:
            with lock:
                number = next(numbers)
            if number >= requests:
                break
            try:
                status, pause = ask(bodies[number % len(bodies)], connection)
            except OSError:
                status, pause = 0, 0.0
                connection.close()
            took = time.perf_counter() - now
            with lock:
                if status == 200:
                    tally.seconds.append(took)
                elif status == 429:
                    tally.busy += 1
                elif status == 504:
                    tally.timeouts += 1
                else:
                    tally.errors += 1
            time.sleep(min(pause, max(0.0, end - time.perf_counter())))
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - start
    p50, p95, p99 = np.percentile(1_000 * np.array(tally.seconds or [np.nan]), [50, 95, 99]).round(1).tolist()
    answered = len(tally.seconds)
    cpu_ms = round(1_000 * (cpu_seconds(process) - used) / max(answered, 1), 1)
    return Result(
        clients, answered, round(answered / elapsed, 2), cpu_ms, p50, p95, p99, tally.busy, tally.timeouts, tally.errors
    )


def main() -> None:
    """Start the service, run, stop it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--index", required=True, help="an index directory")
    parser.add_argument("--model", required=True, help="LANGUAGE=MODEL, the encoder of the queries")
    parser.add_argument("--queries", type=Path, required=True, help="file of queries")
    parser.add_argument("--queue", type=int, default=32, help="requests that may wait")
    parser.add_argument("--seconds", type=float, default=30.0, help="for each number of clients")
    parser.add_argument("--requests", type=int, default=1_000, help="at most, for each number of clients")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    language = options.model.partition("=")[0]
    bodies = [
        json.dumps({"query": query.text, "language": language, "collection": "bench"}).encode()
        for query in read_queries(options.queries)
    ]
    command = [sys.executable, "-m", "kivuko", "serve", "--index", f"{options.index}=bench", "--model", options.model]
    environment = {name: value for name, value in os.environ.items() if name != "KIVUKO_API_KEY"}
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            [*command, "--port", "0", "--queue", str(options.queue), "--threads", "1"],
            env=environment, stdout=subprocess.PIPE, stderr=log, text=True,
        ) as service,
    ):  # fmt: skip
        try:
            assert service.stdout is not None  # noqa: S101 - it was asked for
            line = service.stdout.readline().strip()
            if not line:
                log.seek(0)
                raise SystemExit(log.read().decode())
            port = int(line.rpartition(":")[2])
            results = [
                load(service.pid, port, bodies, clients, options.seconds, options.requests) for clients in CLIENTS
            ]
        finally:
            service.send_signal(signal.SIGTERM)
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=1))
        return
    names = ("clients", "answered", "per second", "cpu ms", "p50 ms", "p95 ms", "p99 ms", "429", "504", "errors")
    print("| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|")
    for each in results:
        print("| " + " | ".join(f"{value:g}" for value in asdict(each).values()) + " |")


if __name__ == "__main__":
    main()

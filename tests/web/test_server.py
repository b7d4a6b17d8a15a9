"""A port is one server's, from before anything is loaded until it stops, which it does in time."""

import signal
import subprocess
import sys
import urllib.error
import urllib.request
from time import monotonic

import pytest

from kivuko.errors import ConfigError
from kivuko.web.server import address_of, bind


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104
def test_the_second_of_two_servers_is_refused_while_the_first_still_loads(host: str) -> None:
    with bind("127.0.0.1", 0) as listener:
        port = int(address_of(listener).rpartition(":")[2])
        with pytest.raises(ConfigError, match=rf"port {port}: .* Choose another --port"):
            bind(host, port)
    bind(host, port).close()


# Stands for a service whose encoder takes a minute for one query.
SLOW = """
import time
from kivuko.web.app import create_app
from kivuko.web.log import logging_to_stderr
from kivuko.web.server import address_of, bind, run_server
from kivuko.web.service import Service
from kivuko.web.settings import ServeSettings

Service.search = lambda *_, **__: time.sleep(60)
app = create_app([Service({}, {})], ServeSettings(timeout=1))
listener = bind("127.0.0.1", 0)
with logging_to_stderr():
    run_server(app, listener, patience=1, ready=lambda: print(address_of(listener), flush=True))
"""


@pytest.mark.slow
@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_in_time_whatever_is_computed_for_nobody(told: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().decode().strip()
            asked = b'{"query": "maize", "language": "sw", "collection": "news"}'
            ask = urllib.request.Request(  # noqa: S310
                f"{address}/api/search", asked, {"Content-Type": "application/json"}
            )
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(ask, timeout=30)  # noqa: S310
            refused.value.close()
            assert refused.value.code == 504
            start = monotonic()
            process.send_signal(told)
            _, said = process.communicate(timeout=30)
            assert monotonic() - start < 5
        finally:
            process.kill()
    assert process.returncode == (130 if told is signal.SIGINT else -signal.SIGTERM)
    assert b'"event": "stopped", "unfinished": 1' in said
    assert b"Traceback" not in said

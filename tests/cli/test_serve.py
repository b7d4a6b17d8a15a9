"""`kivuko serve` on a tiny real encoder: one process that serves, and calls that are refused before they do."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sentence_transformers import MultiVectorEncoder

from kivuko.__main__ import main
from kivuko.data.collections import Document
from kivuko.search import build_index
from kivuko.search.flat import create_store
from kivuko.search.store import ingest

Refuse = Callable[..., str]
ASK = {"query": "which river is the longest", "language": "en", "collection": "news"}


@pytest.fixture(scope="module")
def index(tiny_encoder: MultiVectorEncoder, sentences: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("served") / "index"
    documents = [Document(f"d{n}", "", text) for n, text in enumerate(sentences)]
    build_index(tiny_encoder, documents, directory, model_name="tiny")
    return directory


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refuse:
    """Call `kivuko serve`, which has to refuse; return what it says."""

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["kivuko", "serve", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        assert stop.value.code == 2
        assert captured.out == ""
        assert "Traceback" not in captured.err
        return " ".join(captured.err.split())

    return run


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--index", "i", "--model", "english"], "expected LANGUAGE=MODEL"),
        (["--index", "i", "--model", "sw="], "expected LANGUAGE=MODEL"),
        (["--index", "i", "--model", "en=m", "--model", "en=n"], "two models are given for en"),
        (["--index", "a/i", "--index", "b/i", "--model", "en=m"], "two collections are called i"),
        (["--index", "i=a b", "--model", "en=m"], "got the name 'a b'"),
        (["--index", "i", "--model", "en=m", "--host", "192.0.2.1"], "there is no API key"),
        (["--index", "i", "--model", "en=m", "--host", "no.such.host.invalid"], "no address of this machine"),
        (["--index", "i", "--model", "en=m", "--api-key-file", "none"], "cannot be read"),
    ],
)
def test_a_call_that_cannot_be_meant_is_refused(refuse: Refuse, arguments: list[str], told: str) -> None:
    assert told in refuse(*arguments)


@pytest.mark.parametrize("key", ["", "short", "sixteen chars no 1", "ufunguo-wa-siri-ñ-kabisa"])
def test_a_key_that_is_no_good_is_refused_without_being_shown(
    refuse: Refuse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    (tmp_path / "key").write_text(key, encoding="utf-8")
    told = refuse("--index", "i", "--model", "en=m", "--api-key-file", tmp_path / "key")
    assert "at least 16" in told
    monkeypatch.setenv("KIVUKO_API_KEY", key)
    told += refuse("--index", "i", "--model", "en=m")
    assert "KIVUKO_API_KEY has" in told
    assert not key or key not in told


def test_a_port_that_is_taken_is_refused_before_anything_is_loaded(refuse: Refuse) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = refuse("--index", "none", "--model", "en=none", "--port", taken.getsockname()[1])
    assert "Choose another --port" in told


def test_what_is_no_index_is_refused(refuse: Refuse, tmp_path: Path, tiny_encoder_dir: Path) -> None:
    told = refuse("--index", tmp_path, "--model", f"en={tiny_encoder_dir}", "--port", 0)
    assert "is not a kivuko index" in told


def test_a_damaged_index_is_refused(refuse: Refuse, index: Path, tmp_path: Path, tiny_encoder_dir: Path) -> None:
    damaged = shutil.copytree(index, tmp_path / "damaged")
    embeddings = damaged / "embeddings.npy"
    embeddings.write_bytes(embeddings.read_bytes()[:-1] + b"\x55")
    told = refuse("--index", damaged, "--model", f"en={tiny_encoder_dir}", "--port", 0)
    assert "embeddings.npy is not what was written" in told


def test_without_the_extra_it_is_said_what_to_install(refuse: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "kivuko.web.server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install 'kivuko[serve]'" in refuse("--index", "i", "--model", "en=m")


def test_a_store_beyond_its_size_is_served_with_a_warning(
    tiny_encoder: MultiVectorEncoder,
    tiny_encoder_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = create_store(tmp_path / "store", dim=tiny_encoder.encode_query(["."])[0].shape[1], model_name="tiny")
    ingest(store, tiny_encoder, [Document("d1", "", "maize"), Document("d2", "", "beans")])
    monkeypatch.setattr("kivuko.search.flat.store.ADVISED_PASSAGES", 1)
    monkeypatch.setattr("kivuko.web.server.run_server", lambda *_, **__: None)
    monkeypatch.setattr(
        sys,
        "argv",
        ["kivuko", "serve", "--index", str(store.directory), "--model", f"en={tiny_encoder_dir}", "--port=0"],
    )
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 0
    warned = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(warned) == 1
    assert "holds 2 passages; `flat` is meant for up to about 1." in warned[0]


def ask(url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return answer.read()


@pytest.mark.slow
def test_it_serves_until_it_is_told_to_stop_and_finishes_what_came(index: Path, tiny_encoder_dir: Path) -> None:
    command = [sys.executable, "-m", "kivuko", "serve", "--index", f"{index}=news", "--port", "0"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    environment.pop("KIVUKO_API_KEY", None)
    with subprocess.Popen(
        [*command, "--model", f"en={tiny_encoder_dir}"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("Kivuko answers on http://127.0.0.1:"), process.communicate()
            url = line.split()[-1]
            found = json.loads(ask(f"{url}/api/search", ASK))["results"]
            assert len(found) == 10
            body = json.dumps(ASK).encode()
            port = int(url.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), timeout=60) as begun:
                head = f"POST /api/search HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n"
                begun.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:20])
                while b"kivuko_requests_in_flight 2.0" not in ask(f"{url}/metrics"):
                    time.sleep(0.05)
                process.send_signal(signal.SIGTERM)
                with pytest.raises(urllib.error.URLError):  # noqa: PT012 - until it listens no longer
                    while True:
                        ask(f"{url}/api/health")
                        time.sleep(0.05)
                begun.sendall(body[20:])
                answered = begun.makefile("rb").read()
            assert answered.startswith(b"HTTP/1.1 200 OK")
            assert json.loads(answered.partition(b"\r\n\r\n")[2])["results"] == found
            _, stderr = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode in {0, -signal.SIGTERM}
    events = [json.loads(each) for each in stderr.splitlines() if each.startswith("{")]
    assert [event["event"] for event in events][-1] == "stopped"
    assert ASK["query"] not in stderr
    assert "Traceback" not in stderr

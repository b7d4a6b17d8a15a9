"""A service over two small collections, asked by tiny real encoders."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from socket import socket
from threading import Thread
from time import sleep

import pytest
import uvicorn
from fastapi import FastAPI
from sentence_transformers import MultiVectorEncoder
from starlette.testclient import TestClient

from kivuko.data.collections import Document
from kivuko.data.pairs import SentencePair
from kivuko.models.encoder import model_identity
from kivuko.search import build_index, load_index
from kivuko.search.words import build_words, learn_translations
from kivuko.web.app import create_app
from kivuko.web.connection import Connection
from kivuko.web.server import address_of, bind, server_config
from kivuko.web.service import Service, load_services

LOCAL = "http://127.0.0.1:8000"
Serve = Callable[..., AbstractContextManager[str]]


@pytest.fixture(scope="session")
def documents(sentences: list[str]) -> list[Document]:
    titles = ["", "Mvua", " ", "Kliniki ya Dodoma", "A bus"]
    return [Document(f"d{n}", titles[n % 5], text) for n, text in enumerate(sentences)]


@pytest.fixture(scope="session")
def served_index(
    tiny_encoder: MultiVectorEncoder,
    tiny_encoder_dir: Path,
    documents: list[Document],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    directory = tmp_path_factory.mktemp("served") / "news"
    build_index(
        tiny_encoder,
        documents,
        directory,
        model_name=str(tiny_encoder_dir),
        model_digest=model_identity(tiny_encoder_dir),
        language="en",
    )
    return directory


@pytest.fixture(scope="session")
def services(served_index: Path, tiny_encoder_dir: Path) -> list[Service]:
    return load_services({"news": str(served_index)}, {"sw": str(tiny_encoder_dir), "ur": str(tiny_encoder_dir)})


@pytest.fixture(scope="session")
def worded(
    served_index: Path, tiny_encoder_dir: Path, sentences: list[str], tmp_path_factory: pytest.TempPathFactory
) -> list[Service]:
    place = tmp_path_factory.mktemp("worded") / "news"
    shutil.copytree(served_index, place)
    words = build_words(load_index(place), place)
    pairs = [SentencePair(*pair) for pair in zip(sentences[::2], sentences[1::2], strict=True)]
    learn_translations(pairs, place, target="sw", language="en", analyzer=words.lexical.manifest.analyzer)
    model = str(tiny_encoder_dir)
    return load_services({"news": str(place), "plain": str(served_index)}, {"sw": model, "en": model})


@pytest.fixture
def client(services: list[Service]) -> Iterator[TestClient]:
    with TestClient(create_app(services), base_url=LOCAL, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def serve() -> Serve:
    """Run an app in a thread while the context lasts, and give its address.

    It listens on a port of its own, or where a test did already.
    """

    @contextmanager
    def run(app: FastAPI, connection: type[Connection] = Connection, listener: socket | None = None) -> Iterator[str]:
        listener = listener or bind("127.0.0.1", 0)
        server = uvicorn.Server(server_config(app, patience=1, connection=connection))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            sleep(0.01)
        try:
            yield address_of(listener)
        finally:
            server.should_exit = True
            thread.join()
            listener.close()

    return run

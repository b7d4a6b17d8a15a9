"""What the service is told when it starts."""

import ipaddress
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from kivuko.config import Frozen
from kivuko.errors import ConfigError
from kivuko.web.schemas import MAX_ANSWER

LEAST_KEY = 16  # characters; a shorter key can be guessed

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_COLLECTION = re.compile(r"[\w.-]{1,64}")


class ServeSettings(Frozen):
    """How the service answers, whatever it serves.

    Attributes:
        queue: How many requests may wait beside those that are computed; the next one is told to come back later.
        timeout: Seconds until a request is answered, waiting included.
        api_key: What a caller has to know; none by default.
        allowed_hosts: Names that a request's Host header may carry, none for any. A service that only this machine
            reaches accepts the names of this machine alone, so that no web page can be rebound to it.
        max_answer: Bytes of the texts of an answer; who asks for more is told to ask for less.
        log_queries: Whether the log tells what was asked.
    """

    queue: Annotated[int, Field(ge=0, le=10_000)] = 32
    timeout: Annotated[float, Field(gt=0, le=3_600)] = 30.0
    api_key: str | None = Field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] = ()
    max_answer: Annotated[int, Field(ge=1)] = MAX_ANSWER
    log_queries: bool = False

    @field_validator("api_key")
    @classmethod
    def _long_enough(cls, value: str | None) -> str | None:
        if value is not None and len(value) < LEAST_KEY:
            raise ValueError(f"expected at least {LEAST_KEY} characters, got {len(value)}")
        return value


def parse_indexes(given: Sequence[str]) -> dict[str, str]:
    """Read `LOCATION[=NAME]`, by name; a location without a name goes by the last part of its own.

    Raises:
        ConfigError: If a name is given twice or is none.

    Example:
        >>> parse_indexes(["runs/news-index=news", "wiki/"])
        {'news': 'runs/news-index', 'wiki': 'wiki/'}
    """
    found: dict[str, str] = {}
    for each in given:
        location, equals, name = each.rpartition("=")
        if not equals:
            location, name = each, each.rstrip("/").rpartition("/")[2]
        if not _COLLECTION.fullmatch(name) or not location:
            raise ConfigError(
                f"--index {each}: expected LOCATION or LOCATION=NAME with a name of at most 64 letters, digits, "
                f"dots and hyphens, got the name {name[:80]!r}."
            )
        if name in found:
            raise ConfigError(f"--index: two collections are called {name}: name one with LOCATION=NAME.")
        found[name] = location
    return found


def parse_models(given: Sequence[str]) -> dict[str, str]:
    """Read `LANGUAGE=MODEL`.

    Raises:
        ConfigError: If a language is given twice or is no ISO 639 code.

    Example:
        >>> parse_models(["sw=runs/swahili", "en=sentence-transformers/all-MiniLM-L6-v2"])
        {'sw': 'runs/swahili', 'en': 'sentence-transformers/all-MiniLM-L6-v2'}
    """
    found: dict[str, str] = {}
    for each in given:
        language, _, model = each.partition("=")
        if not _LANGUAGE.fullmatch(language) or not model:
            raise ConfigError(
                f"--model {each}: expected LANGUAGE=MODEL, the ISO 639 code of the queries' language and the "
                "directory or hub id of their encoder, as in sw=runs/swahili."
            )
        if language in found:
            raise ConfigError(f"--model: two models are given for {language}; a language has one.")
        found[language] = model
    return found


def read_api_key(path: Path | None, environment: str | None) -> str | None:
    """Take the API key from a file, or else from the environment.

    Raises:
        ConfigError: If the file cannot be read, or the key is too short or not printable ASCII.
    """
    if path is None and environment is None:
        return None
    try:
        key = (path.read_text(encoding="utf-8") if path else environment or "").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--api-key-file {path} cannot be read: {error}.") from None
    if len(key) < LEAST_KEY or not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigError(
            f"The API key in {path or 'KIVUKO_API_KEY'} has {len(key)} characters: expected one line of at least "
            f"{LEAST_KEY} printable ASCII characters without a space. `openssl rand -hex 24` makes a good one."
        )
    return key


def local_names(host: str) -> tuple[str, ...]:
    """Return what a Host header may call a service that only this machine reaches, each name once.

    Example:
        >>> local_names("127.0.0.1"), local_names("Box.local"), local_names("::1")[-1]
        (('localhost', '127.0.0.1', '[::1]'), ('localhost', '127.0.0.1', '[::1]', 'box.local'), '[::1]')
    """
    own = f"[{host}]" if ":" in host else host.lower()
    return tuple(dict.fromkeys(("localhost", "127.0.0.1", "[::1]", own)))


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches an address.

    Raises:
        ConfigError: If there is no such address.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    try:
        addresses = {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        raise ConfigError(f"--host {host} is no address of this machine: try 127.0.0.1.") from None
    return all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in addresses)

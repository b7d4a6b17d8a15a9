"""A port is one server's, from before anything is loaded."""

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

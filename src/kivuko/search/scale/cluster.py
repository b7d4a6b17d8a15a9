"""A Ray cluster to work on: one of this process's own, on the loopback interface, or one that is running."""

import gc
import logging
import os
import secrets
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from kivuko.errors import ConfigError
from kivuko.search.scale.watchdog import ending_with_this_process

# Read by Ray when it is imported, and by each process that it starts. The last one is named for the systems on which
# Ray sets it by itself; on every system it keeps all of Ray's sockets on the loopback interface.
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
_ALONE = {
    "RAY_prestart_worker_first_driver": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
_LOOPBACK = "127.0.0.1"


def require_ray() -> None:
    """Make sure that Ray is there.

    Raises:
        ConfigError: If it is not.
    """
    if find_spec("ray") is None:
        raise ConfigError("Ray is not installed, by which workers are run: pip install 'kivuko[scale]'.")


@contextmanager
def ray_cluster(*, cpus: int, temp_dir: Path | None = None, address: str | None = None) -> Iterator[None]:
    """Be connected to a Ray cluster in this block.

    A cluster of our own listens on the loopback interface alone and admits only processes that know a token made for
    it; it has no dashboard, sends no usage statistics, and ends with the block, or with this process if that is killed.
    A connection that is open already is used as it is, and left open.

    Args:
        cpus: Cores that a cluster of our own may count on.
        temp_dir: Where a cluster of our own keeps sockets, logs and what memory does not hold; by default a temporary
            directory that is removed at the end.
        address: `host:port` of a cluster that is running, or `auto`; it is joined instead.

    Raises:
        ConfigError: If Ray is not installed, or does not start or answer.
    """
    require_ray()
    os.environ.update(_QUIET)
    if address is None:
        os.environ.update(_ALONE)
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)  # no news that there is a token
    import ray  # noqa: PLC0415 - an extra, and slow to import

    if ray.is_initialized():
        yield
        return
    with ExitStack() as stack:
        if address is None:
            folder = temp_dir or stack.enter_context(
                TemporaryDirectory(prefix="kivuko-ray-", ignore_cleanup_errors=True)
            )
        watched = stack.enter_context(ExitStack())  # until the cluster has ended
        stack.callback(_stop)
        try:
            if address is None:
                _start(cpus, Path(folder).resolve())
                watched.enter_context(ending_with_this_process(Path(folder).resolve()))
            else:
                ray.init(address=address, configure_logging=False, log_to_driver=False)
        except ConfigError:
            raise
        except Exception as error:  # Ray raises many kinds, also this one itself
            where = f"at {address} does not answer" if address else "does not start"
            raise ConfigError(f"The Ray cluster {where}: {str(error).strip() or type(error).__name__}") from error
        yield


def _start(cpus: int, folder: Path) -> None:
    import ray  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    ray.init(
        num_cpus=cpus, include_dashboard=False, configure_logging=False, log_to_driver=False, _temp_dir=str(folder)
    )
    if (node := ray.util.get_node_ip_address()) != _LOOPBACK:  # type: ignore[no-untyped-call]
        raise ConfigError(
            f"Ray listens on {node}, not on {_LOOPBACK} alone: it was imported before. Let kivuko import it, or "
            "connect by ray.init yourself."
        )


def _stop() -> None:
    import ray  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Ray does not wait for the processes that it ends
        ray.shutdown()
        gc.collect()

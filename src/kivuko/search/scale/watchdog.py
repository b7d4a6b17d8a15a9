"""An end for what outlives a killed driver: Ray's agents, which by themselves try to report its death for a minute."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

# A process of its own, since the driver may be killed at any moment. It is given descriptors of processes (Linux), not
# their numbers, which the system may give to others meanwhile; that of an ended process can be read.
_WATCH = """
import select, signal, sys
driver, *others = map(int, sys.argv[1:])
end = select.poll()
end.register(driver, select.POLLIN)
end.poll()
for other in others:
    try:
        signal.pidfd_send_signal(other, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


@contextmanager
def ending_with_this_process(folder: Path) -> Iterator[None]:
    """End the agents of a Ray cluster when this process is killed in this block.

    The kernel ends Ray's other processes with this one, or with their connection to these. Where the system has no
    descriptors of processes, nothing is done.

    Args:
        folder: Where the cluster keeps its sockets; its raylet names it in its command line.
    """
    with ExitStack() as stack:
        try:
            watched = [_descriptor(number, stack) for number in (os.getpid(), *_agents(folder))]
        except (AttributeError, OSError):  # no Linux, or an old one
            yield
            return
        with subprocess.Popen(  # noqa: S603 - our own code
            [sys.executable, "-I", "-S", "-c", _WATCH, *map(str, watched)],
            pass_fds=watched,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # else Ctrl-C at the terminal would reach it
        ) as watchdog:
            try:
                yield
            finally:
                watchdog.kill()


def _descriptor(number: int, stack: ExitStack) -> int:
    descriptor = os.pidfd_open(number)
    stack.callback(os.close, descriptor)
    return descriptor


def _agents(folder: Path) -> list[int]:
    import psutil  # noqa: PLC0415 - it comes with Ray, and is found once that is imported

    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # it may end while it is looked at
            if f"socket_name={folder}/" in " ".join(child.cmdline()):
                found += [agent.pid for agent in child.children()]
    return found

"""The end of a killed driver's grandchildren, by processes that stand in for a raylet and its agent."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from kivuko.search.scale.watchdog import ending_with_this_process

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the system has no descriptors of processes")

# A raylet that starts an agent, says its number, and dies with its parent, as by PR_SET_PDEATHSIG.
RAYLET = """
import ctypes, signal, subprocess, sys, time
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
agent = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(120)"])
print(agent.pid, flush=True)
time.sleep(120)
"""
DRIVER = """
import subprocess, sys, time
from pathlib import Path
from kivuko.search.scale.watchdog import ending_with_this_process
folder, raylet = sys.argv[1:]
others = [sys.executable, "-S", "-c", raylet, f"--raylet_socket_name={folder}/raylet"]
child = subprocess.Popen(others, stdout=subprocess.PIPE, text=True)
agent = child.stdout.readline().strip()
with ending_with_this_process(Path(folder)):
    print(agent, flush=True)
    time.sleep(120)
"""


def test_agents_end_when_the_driver_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DRIVER, str(tmp_path), RAYLET]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        agent = psutil.Process(int(driver.stdout.readline()))
        started = psutil.Process(driver.pid).children(recursive=True)
        assert agent in started
        driver.kill()
    _, alive = psutil.wait_procs(started, timeout=60)  # by itself the agent takes 120 seconds
    assert not alive


def test_agents_stay_when_the_block_ends_and_nothing_watches_any_more(tmp_path: Path) -> None:
    command = [sys.executable, "-S", "-c", RAYLET, f"--raylet_socket_name={tmp_path}/raylet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as raylet:
        assert raylet.stdout is not None
        agent = psutil.Process(int(raylet.stdout.readline()))
        gc.collect()  # what earlier tests left open is closed now or later, and is not to be counted
        descriptors, children = psutil.Process().num_fds(), set(psutil.Process().children())
        with ending_with_this_process(tmp_path):
            [watchdog] = set(psutil.Process().children()) - children
            assert watchdog.is_running()  # its command line may not be there yet
        assert not watchdog.is_running()
        assert agent.is_running()
        assert psutil.Process().num_fds() <= descriptors
        agent.kill()
        raylet.kill()


def test_a_system_without_descriptors_of_processes_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(number: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", missing)
    children = set(psutil.Process().children())
    with ending_with_this_process(tmp_path):
        assert set(psutil.Process().children()) <= children  # those of earlier tests may end

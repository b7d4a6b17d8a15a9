"""Runs from end to end: the only place where the parts meet."""

from kivuko.experiment.demo import Demo, run_demo
from kivuko.experiment.distillation import Distilled, distill
from kivuko.experiment.reproduction import Reproduced, reproduce

__all__ = ["Demo", "Distilled", "Reproduced", "distill", "reproduce", "run_demo"]

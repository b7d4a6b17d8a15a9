"""Carry an English search model across to languages that have no search training data.

Bitext and an English late-interaction teacher go in; a student that reads another language and searches the teacher's
English index comes out. See the README for the way in, and `kivuko --help` for the commands.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"

"""A network of the reader's own, from a Python file of theirs."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path

from lessons.toolkit.errors import UserError, unknown
from lessons.toolkit.models import Classifier

_RETURN = "Let it return as_classifier(network, classes, preprocess) of lessons.toolkit.models."


def names_a_file(model: str) -> bool:
    """Return whether a model's name is a Python file with a function: `mine.py:make`."""
    return model.rpartition(":")[0].endswith(".py") or model.endswith(".py")


def from_file(model: str) -> Classifier:
    """Run a Python file and return the classifier that its function makes.

    The file runs as `python mine.py` would run it: with everything that its owner may do.

    Args:
        model: file and function, such as `mine.py:make`.

    Raises:
        UserError: there is no such file or function, it fails, or returns something else.
    """
    if model.endswith(".py"):
        raise UserError(f"{model} does not say which function to call.", f"Write {model}:make.")
    file, _, name = model.rpartition(":")
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        raise UserError(f"There is no file {file}.", "Check the path.")
    module_name = f"convlens_model_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{file} is no Python file.", "Name a file that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # a class of the file can then be copied
    sys.path.insert(0, str(path.parent))  # it may import its neighbours
    try:
        spec.loader.exec_module(module)
        make = getattr(module, name, None)
        if not callable(make):
            public = [key for key, value in vars(module).items() if callable(value)]
            raise unknown("function", name, public)
        classifier = make()
    except UserError:
        raise
    except Exception as error:
        lines = [at.lineno for at in traceback.extract_tb(error.__traceback__) if _is(at, path)]
        where = f"line {lines[-1]} of {file}" if lines else file
        raise UserError(
            f"{name}() cannot be had: {where} raises {type(error).__name__}: {error}.",
            f"Try it alone: python {file}",
        ) from error
    finally:
        sys.path.remove(str(path.parent))
    if not isinstance(classifier, Classifier):
        kind = type(classifier).__name__
        raise UserError(f"{name}() of {file} returns a {kind}, not a Classifier.", _RETURN)
    return classifier


def _is(at: traceback.FrameSummary, path: Path) -> bool:
    return Path(at.filename) == path

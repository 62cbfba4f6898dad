"""Judge one case of one exercise, rung by rung.

The rungs of this ladder go from whether the code ran to what it left behind. A climb stops at the
first rung that fails and says so in one sentence. No sentence holds a value of a tensor, since the
same sentences go into graded reports; numbers go into `detail`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autograder.checks.compare import close, worst
from autograder.course.catalogue import topic
from autograder.course.exercise import Case, Complaint, Exercise
from autograder.judge.words import (
    LAYER_COPY,
    MEMORY,
    MEMORY_STEP,
    NO_GRAD_THERE,
    SIDE_EFFECTS,
    TORCH_ERRORS,
    call_text,
    dtype_text,
    kind_text,
    unreadable,
)
from autograder.protocol.answers import Record
from autograder.protocol.wire import Foreign


@dataclass(frozen=True)
class Finding:
    """Fault that one rung found on one case.

    Args:
        rung: name of the rung.
        code: id of the generic mistake; "" where the rung has no single cause.
        message: one or two sentences without hidden values.
        detail: numbers, for public inputs only.
        tidy: the value is right and only something left behind is wrong.
        mistake: one that the exercise's own judge has named.
    """

    rung: str
    code: str
    message: str
    detail: str = ""
    tidy: bool = False
    mistake: str | None = None


def climb(
    exercise: Exercise, name: str, case: Case, expected: Record, actual: Record
) -> Finding | None:
    """Climb the ladder for one case.

    Args:
        exercise: the exercise's record.
        name: the case's name.
        case: its inputs and call.
        expected: what `observe` wrote of the reference.
        actual: what a worker wrote of the student's code.

    Returns:
        The first finding, or None when every rung holds.
    """
    return _Climb(exercise, name, case, expected, actual).first_finding()


class _Climb:
    def __init__(
        self, exercise: Exercise, name: str, case: Case, expected: Record, actual: Record
    ) -> None:
        self.exercise = exercise
        self.case = case
        self.expected = expected
        self.actual = actual
        self.call = f"{call_text(exercise.name, case)} on “{name}”"

    def first_finding(self) -> Finding | None:
        rungs = (self.ran, self.structure, self.finite, self.range, self.value, self.effects)
        for rung in (*rungs, self.container, self.numpy_number):
            if (finding := rung()) is not None:
                return finding
            if self.expected["status"] == "raised":
                return self.effects()
        return None

    def ran(self) -> Finding | None:
        status, wanted = self.actual.get("status"), self.expected["status"]
        if status == "unsendable":
            note = self.actual.get("note", "")
            return Finding(
                "ran", "", f"{self.call} returned something that cannot be read: {note}."
            )
        if status == "raised" and self.actual["error"]["type"] == "BdbQuit":
            return Finding("ran", "", self._stopped())
        if wanted == "raised":
            return self._should_raise(status)
        if status == "raised":
            return Finding("ran", "", f"{self.call} {error_text(self.actual['error'])}")
        return None

    def _stopped(self) -> str:
        target = f"{topic(self.exercise.stem)}.{self.exercise.name}"
        return (
            f"{self.call} stopped at a breakpoint{_place(self.actual['error'])}, and a check has "
            f"no keyboard. Take it out, or run `convlens check {target} --debug`, which has one."
        )

    def _should_raise(self, status: Any) -> Finding | None:
        kind = self.expected["error"]["type"]
        if status != "raised":
            return Finding("ran", "no_error", f"{self.call} returned; it should raise {kind}.")
        if self.actual["error"]["type"] != kind:
            raised = error_text(self.actual["error"])
            return Finding("ran", "", f"{self.call} {raised} It should raise {kind}.")
        return None

    def structure(self) -> Finding | None:
        value = self.actual.get("value")
        if value is None and self.expected["value"] is not None:
            return self._returned_nothing()
        if (problem := structure(self.expected["value"], value)) is None:
            return None
        code, sentence = problem
        message = f"{self.call} returned {sentence}. It returns {self.exercise.returns}."
        return Finding("shape" if code == "wrong_shape" else "type", code, message)

    def _returned_nothing(self) -> Finding:
        if self.actual.get("printed"):
            message = f"{self.call} printed its result and returned None. Return it instead."
            return Finding("returned", "printed_not_returned", message)
        message = (
            f"{self.call} returned None. The last line may lack its `return`, or hand back a "
            "`.grad` that is None."
        )
        return Finding("returned", "returned_none", message)

    def finite(self) -> Finding | None:
        for wanted, got in zip(
            leaves(self.expected["value"]), leaves(self.actual["value"]), strict=True
        ):
            if _count_bad(got) > 0 and _count_bad(wanted) == 0:
                message = (
                    f"{self.call} returned NaN or infinity in {_count_bad(got)} of {got.numel()} "
                    "entries. Look for a division by zero, a logarithm of zero or an overflow."
                )
                return Finding("finite", "not_finite", message)
        return None

    def range(self) -> Finding | None:
        if self.exercise.bounds is None:
            return None
        low, high = self.exercise.bounds
        for got in leaves(self.actual["value"]):
            values = got.double()
            values = values[values.isfinite()]
            if values.numel() and not low - 1e-6 <= values.min() <= values.max() <= high + 1e-6:
                detail = f"Yours spans {values.min():.4g} to {values.max():.4g}."
                place = f"outside [{low:g}, {high:g}]" if high < math.inf else f"below {low:g}"
                message = f"{self.call} returned values {place}."
                return Finding("range", "out_of_range", message, detail)
        return None

    def value(self) -> Finding | None:
        judge = self.exercise.judge or self._near_reference
        complaint = judge(self.expected["value"], self.actual["value"], self.case.inputs)
        if complaint is None:
            return None
        message = f"{self.call} {complaint.message}"
        return Finding("value", "", message, complaint.detail, mistake=complaint.mistake)

    def _near_reference(self, expected: Any, actual: Any, _inputs: Any) -> Complaint | None:
        return self._far_off(expected, actual, "")

    def _far_off(self, expected: Any, actual: Any, where: str) -> Complaint | None:
        """Return what is wrong with a value, or None.

        Of a dict it is the first wrong part, named by its key.
        """
        rtol, atol = self.exercise.rtol, self.exercise.atol
        if close(expected, actual, rtol, atol):
            return None
        if isinstance(expected, dict):
            parts = (
                self._far_off(wanted, actual[key], f" under {key!r}{where}")
                for key, wanted in expected.items()
            )
            return next(part for part in parts if part is not None)
        if isinstance(expected, bool | int | float | str):
            detail = f"Yours {_short(actual)}, expected {_short(expected)}."
            return Complaint(f"returned a wrong value{where}.", detail)
        for wanted, got in zip(leaves(expected), leaves(actual), strict=True):
            if (most := worst(wanted, got, rtol, atol)) is not None:
                message = (
                    f"returned the right shape with wrong values{where}: "
                    f"{_percent(most.share)} of the entries are off."
                )
                detail = (
                    f"Largest difference at {list(most.place)}: "
                    f"yours {most.actual:.6g}, expected {most.expected:.6g}."
                )
                return Complaint(message, detail)
        message = f"returned the right kind of result with wrong values{where}."
        return Complaint(message, f"Yours {_short(actual)}, expected {_short(expected)}.")

    def effects(self) -> Finding | None:
        allowed = self.expected.get("effects", [])
        for code in self.actual.get("effects", []):
            if code in SIDE_EFFECTS and code not in allowed:
                if code == "hooks_left" and self.expected["status"] == "raised":
                    code = "hooks_left_on_error"
                what, next_step = SIDE_EFFECTS[code]
                if code == "input_changed" and "layer" in self.case.inputs:
                    next_step = LAYER_COPY
                return Finding("side effects", code, f"{self.call} {what}. {next_step}", tidy=True)
        if self.expected["status"] == "raised":
            return None
        if holds_graph(self.actual["value"]):
            message = (
                f"{self.call} returned a tensor that still holds its graph. "
                "Detach it, so that its memory can go."
            )
            return Finding("side effects", "keeps_graph", message, tidy=True)
        return self._second_call() or self._plain_model() or self._device()

    def container(self) -> Finding | None:
        kind, asked = self.actual.get("container"), type(self.expected.get("value")).__name__
        if kind not in ("list", "tuple"):
            return None
        message = f"{self.call} returned the right values in a {kind}; a {asked} is asked for."
        return Finding("type", "list_for_tuple", message, tidy=True)

    def numpy_number(self) -> Finding | None:
        if not (kind := self.actual.get("numpy")):
            return None
        message = (
            f"{self.call} returned the right values as numpy.{kind}; plain Python numbers are "
            "asked for. `int(...)`, `float(...)` or `.item()` makes one of each."
        )
        return Finding("type", "numpy_not_number", message, tidy=True)

    def _second_call(self) -> Finding | None:
        # Mathematics forgives the last bits of a second call; nothing else.
        again = self.actual.get("again")
        if not self.exercise.repeatable or close(self.actual["value"], again, 1e-5, 1e-6):
            return None
        message = (
            f"{self.call} gave another result when called again with the same inputs. "
            "Look for state that survives: accumulated gradients, hooks, a changed input."
        )
        return Finding("side effects", "second_call_differs", message, tidy=True)

    def _plain_model(self) -> Finding | None:
        if close(self.expected.get("plain"), self.actual.get("plain"), 1e-4, 1e-5):
            return None
        message = f"After {self.call} the model itself answers differently. Put it back as it was."
        return Finding("side effects", "model_changed", message, tidy=True)

    def _device(self) -> Finding | None:
        extra = set(self.actual.get("devices", ())) - set(self.expected.get("devices", ()))
        asked = self.actual.get("device", "cpu")
        if not extra or (asked in extra and len(extra) == 1):
            return None
        message = f"{self.call} returned a tensor on {', '.join(sorted(extra))}, not on {asked}."
        return Finding("side effects", "wrong_device", message, tidy=True)


def aligned(expected: Record, actual: Record) -> Record:
    """Read a list where a tuple is asked for, or the reverse, as what was meant.

    The record then says which it was, for the last rung of the ladder.
    """
    wanted, got, again = expected.get("value"), actual.get("value"), actual.get("again")
    if {type(wanted), type(got)} != {list, tuple}:
        return actual
    kind: Any = type(wanted)
    second = kind(again) if type(again) in (list, tuple) else again
    return {**actual, "value": kind(got), "again": second, "container": type(got).__name__}


def structure(expected: Any, actual: Any) -> tuple[str, str] | None:
    """Compare types, shapes and dtypes.

    Returns:
        None where they agree, else a code and what came back in words.
    """
    if isinstance(expected, Tensor):
        return _tensor_structure(expected, actual)
    if isinstance(expected, dict) and isinstance(actual, dict):
        return _dict_structure(expected, actual)
    if isinstance(expected, list | tuple) and type(actual) is type(expected):
        if len(actual) != len(expected):
            return "wrong_length", f"{len(actual)} items, not {len(expected)}"
        for position, (wanted, got) in enumerate(zip(expected, actual, strict=True)):
            if (problem := structure(wanted, got)) is not None:
                return problem[0], f"{problem[1]} at position {position}"
        return None
    if type(actual) is type(expected) or (type(expected) is float and type(actual) is int):
        return None
    if isinstance(actual, Tensor) and actual.numel() == 1 and isinstance(expected, int | float):
        return (
            "tensor_not_number",
            f"a tensor with one entry, not a plain {type(expected).__name__}",
        )
    wrong_type = "wrong_type", f"{kind_text(actual)}, not {kind_text(expected)}"
    return _foreign(expected, actual) or wrong_type


def _tensor_structure(expected: Tensor, actual: Any) -> tuple[str, str] | None:
    if not isinstance(actual, Tensor):
        return _foreign(expected, actual) or ("wrong_type", f"{kind_text(actual)}, not a tensor")
    if actual.shape != expected.shape:
        return "wrong_shape", f"shape {tuple(actual.shape)}, not {tuple(expected.shape)}"
    if actual.dtype != expected.dtype:
        return "wrong_dtype", f"dtype {dtype_text(actual)}, not {dtype_text(expected)}"
    return None


def _dict_structure(expected: dict[Any, Any], actual: dict[Any, Any]) -> tuple[str, str] | None:
    missing = [key for key in expected if key not in actual]
    extra = [key for key in actual if key not in expected]
    if missing or extra:
        parts = [f"without {missing[0]!r}"] if missing else []
        parts += [f"with {str(extra[0])[:60]!r} that was not asked for"] if extra else []
        return "wrong_keys", "a dict " + " and ".join(parts)
    for key, wanted in expected.items():
        if (problem := structure(wanted, actual[key])) is not None:
            return problem[0], f"{problem[1]} under {key!r}"
    return None


def _foreign(expected: Any, actual: Any) -> tuple[str, str] | None:
    if unreadable(actual):
        return "wrong_type", kind_text(actual)
    if isinstance(actual, Foreign) and actual.kind.startswith("numpy"):
        if not isinstance(expected, Tensor):
            return "numpy_not_number", f"{kind_text(actual)}, not {kind_text(expected)}"
        return "numpy_not_tensor", f"{kind_text(actual)}, not a tensor"
    return None


def error_text(error: dict[str, Any]) -> str:
    """Describe a student's exception in one sentence, with the line it came from."""
    message = " ".join(str(error["message"]).split())
    said = f"raised {error['type']}" + (f": {message[:240]}" if message else "")
    if error["type"] in ("SystemExit", "KeyboardInterrupt"):
        said = f"ended the program with {error['type']}"
    where = _place(error)
    if error["type"] == "MemoryError":
        return f"{MEMORY}{where}. {MEMORY_STEP}"
    return f"{said.rstrip('.')}{where}.{_explained(error, message)}"


def _explained(error: dict[str, Any], message: str) -> str:
    """Return what torch means by an error, or "" where nothing is known."""
    for piece, sentence in TORCH_ERRORS.items():
        if piece in message:
            return f" {sentence}"
    line = error["lines"][-1][1] if error["lines"] else ""
    return f" {NO_GRAD_THERE}" if "'NoneType'" in message and ".grad" in line else ""


def _place(error: dict[str, Any]) -> str:
    """Return the student's innermost line in brackets, or "" where none is known."""
    if not error["lines"]:
        return ""
    number, text = error["lines"][-1]
    return f" (line {number}: `{text}`)" if text else f" (line {number})"


def load_error_text(error: dict[str, Any]) -> str:
    """Return the sentence on a file whose top-level code raises."""
    return f"Your file does not load: it {error_text(error)}"


def holds_graph(value: Any) -> bool:
    """Check whether a tensor in this value still holds its graph."""
    return any(leaf.requires_grad for leaf in leaves(value))


def leaves(value: Any) -> list[Tensor]:
    """Return every tensor of a value, and every number as a tensor."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        return [leaf for key in sorted(value, key=str) for leaf in leaves(value[key])]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in leaves(item)]
    if type(value) in (int, float):
        return [torch.tensor(value, dtype=torch.float64)]
    return []


def _count_bad(tensor: Tensor) -> int:
    return int((~torch.isfinite(tensor)).sum()) if tensor.is_floating_point() else 0


def _percent(share: float) -> str:
    return "under 1 %" if share < 0.01 else f"{100 * share:.0f} %"


def _short(value: Any) -> str:
    return repr(value)[:120]

"""What code finds on its author's machine and not where it is graded, said where it matters."""

from __future__ import annotations

import re

# Looked for in a sentence on an exception, in this order.
_MISSING = (
    (
        r"raised ModuleNotFoundError",
        "Grading has torch, numpy and matplotlib, and no other package.",
    ),
    (
        r"NVIDIA driver|compiled with CUDA|CUDA GPU|not linked with support for \w+ devices",
        "Grading has no GPU: stay on the device of the tensors that you are given.",
    ),
    (
        r"raised (URLError|HTTPError|gaierror|Connection\w*Error|timeout)|name resolution",
        "Grading has no network: nothing can be downloaded.",
    ),
    (
        r"Errno 1\] Operation not permitted",
        "Grading has no network and starts no other program.",
    ),
    (
        r"raised (FileNotFoundError|PermissionError)|Errno 30\]",
        "Grading has its inputs and no file of yours, and it keeps none.",
    ),
)


def explained(message: str) -> str:
    """A sentence with what a student cannot know from home, where that is the reason.

    >>> explained("`f` raised ModuleNotFoundError: No module named 'cv2'.").endswith("package.")
    True
    """
    for pattern, missing in _MISSING:
        if re.search(pattern, message):
            return f"{message} {missing}"
    return message

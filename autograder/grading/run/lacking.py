"""Say what grading lacks that code finds on its author's machine."""

from __future__ import annotations

import re

# Looked for in a sentence on an exception, in this order.
_MISSING = (
    (
        r"raised ModuleNotFoundError",
        "Grading has the packages that the course depends on, and no other.",
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
    """Add to a sentence what grading lacks, where that is the reason.

    >>> explained("`f` raised ModuleNotFoundError: No module named 'cv2'.").endswith("no other.")
    True
    """
    for pattern, missing in _MISSING:
        if re.search(pattern, message):
            return f"{message} {missing}"
    return message


def lacks(message: str) -> bool:
    """Return whether a sentence says that grading lacks something.

    >>> lacks(explained("`f` raised ModuleNotFoundError: No module named 'cv2'."))
    True
    """
    return any(message.endswith(missing) for _, missing in _MISSING)

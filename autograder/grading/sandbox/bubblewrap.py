"""Build the bubblewrap command that holds a zygote.

Its root has nothing but the whitelist. bubblewrap is a program without a library; Debian, Ubuntu
and Fedora package it as `bubblewrap`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from autograder.grading.sandbox.whitelist import Whitelist

DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")

# Inside, the zygote is user 2000 with one capability: to make namespaces for its children. It must
# not be user 0 there, whom a child's namespace may map only with CAP_SETFCAP.
_NEW_HOUSE = (
    *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
    *("--unshare-cgroup-try", "--uid", "2000", "--gid", "2000", "--hostname", "worker"),
    *("--cap-drop", "ALL"),
    # Process 1 of its namespace: when the zygote goes, all that it forked goes.
    *("--as-pid-1", "--new-session"),
)


def program() -> str | None:
    """Return the path of bubblewrap, or None."""
    return shutil.which("bwrap")


def command(
    listed: Whitelist, environment: Mapping[str, str], arguments: Sequence[str]
) -> list[str]:
    """Return the command that runs Python with nothing but the whitelist.

    Raises:
        FileNotFoundError: bubblewrap is not installed.
    """
    bwrap = program()
    if bwrap is None:
        raise FileNotFoundError("bwrap")
    words = [bwrap, *_NEW_HOUSE, "--cap-add", "CAP_SYS_ADMIN", "--clearenv"]
    for name, value in environment.items():
        words += ["--setenv", name, value]
    words += ["--ro-bind", str(listed.stdlib), str(listed.stdlib)]
    # Third parties install below the standard library: an empty directory covers theirs.
    covers = [str(listed.stdlib / name) for name in ("site-packages", "dist-packages")]
    covers = [path for path in covers if Path(path).is_dir()]
    for path in covers:
        words += ["--tmpfs", path]
    for source in dict.fromkeys((listed.python, *listed.files)):
        words += ["--ro-bind", str(source), str(source)]
    housed = listed.housed
    for entry in listed.entries:
        words += ["--ro-bind", str(entry.path), str(housed[entry.root] / entry.name)]
    for device in DEVICES:
        words += ["--dev-bind", device, device]
    # Its own /proc, to write the maps of its children's users; each child covers it.
    words += ["--proc", "/proc", "--dir", "/tmp"]
    for path in (*covers, "/"):
        words += ["--remount-ro", path]
    return [*words, "--chdir", "/", "--", str(listed.python), *arguments]


def trial() -> list[str]:
    """Return a command that makes a zygote's and a child's namespaces and exits."""
    inner = ["bwrap", "--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc"]
    inner += ["--unshare-uts", "--bind", "/", "/", "--tmpfs", "/tmp", "true"]
    outer = ["bwrap", *_NEW_HOUSE, "--ro-bind", "/", "/", "--proc", "/proc"]
    return [*outer, *inner]

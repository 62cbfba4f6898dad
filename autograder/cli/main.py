"""`convlens`: its commands, and the handling of their errors."""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import sys
from typing import Any, NoReturn, TextIO

import typer

from autograder.cli import (
    audit,
    build,
    check,
    doctor,
    export,
    grade,
    hint,
    lessons,
    merge,
    mistakes,
    new,
    notebook,
    release,
    reset,
    show,
    site,
    solution,
    submit,
    tour,
    update,
)
from autograder.cli.screen import errors
from lessons.toolkit.errors import UserError

STOPPED = 130

app = typer.Typer(
    name="convlens",
    help="Open convolutional networks: complete the stubs, see what the network sees.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(tour.tour)
app.command()(lessons.lessons)
app.command()(check.check)
app.command()(show.show)
app.command()(hint.hint)
app.command()(solution.solution)
app.command()(reset.reset)
app.command()(submit.submit)
app.command()(notebook.notebook)
app.command()(update.update)
app.command()(doctor.doctor)
app.command(rich_help_panel="Authors")(new.new)
app.command(rich_help_panel="Authors")(build.build)
app.command(rich_help_panel="Authors")(audit.audit)
app.command(rich_help_panel="Authors")(site.site)
app.command()(grade.grade)
app.add_typer(export.export, name="export")
app.command()(merge.merge)
app.command()(release.release)
app.command()(mistakes.mistakes)


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: its words; those of the shell where None, and then the process ends here.

    Returns:
        0 all is well, 1 an exercise does not pass or a check of the course's sources fails, 2 usage
        or environment, 130 stopped from the keyboard.
    """
    _write_anything()
    code = _run(argv)
    if argv is None:
        _end(code)
    return code


def _run(argv: list[str] | None) -> int:
    # As it is now: a check that is stopped may have standard error redirected at that moment.
    stream = sys.stderr
    try:
        code = int(app(args=argv, standalone_mode=False) or 0)
        # The parser turns Ctrl-C into this code; which exception it is depends on its version.
        return _say(stream, "Stopped.", code=STOPPED) if code == STOPPED else code
    except UserError as error:
        return _say(stream, error.message, error.next_step)
    except (KeyboardInterrupt, typer.Abort):
        return _say(stream, "Stopped.", code=STOPPED)
    except SystemExit as end:  # the parser's, when the reader of our output has left
        return end.code if isinstance(end.code, int) else 2
    except OSError as error:
        return _say(stream, *_disk(error))
    except Exception as error:
        return _unforeseen(stream, error)


def _end(code: int) -> NoReturn:
    """End the process at once.

    To take torch down piece by piece would cost most of a second.
    """
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _unforeseen(stream: TextIO, error: Any) -> int:
    if hasattr(error, "format_message"):  # the parser's: an unknown command, option or value
        return _say(stream, error.format_message(), "`convlens --help` lists what there is.")
    if os.environ.get("CONVLENS_DEBUG"):
        raise error
    return _say(
        stream,
        f"convlens itself failed: {type(error).__name__}: {str(error)[:300]}",
        "Your files are as they were. CONVLENS_DEBUG=1 shows where; please report it.",
    )


def _disk(error: OSError) -> tuple[str, str]:
    if error.errno == errno.ENOSPC:
        return "The disk is full.", "Free some space and run the command again."
    name = f"{error.filename}: " if error.filename else ""
    return f"{name}{error.strerror or error}.", "Check the path and its permissions."


def _say(stream: TextIO, message: str, next_step: str = "", code: int = 2) -> int:
    console = errors(stream)
    console.print(message, style="bold")
    if next_step:
        console.print(next_step)
    return code


def _write_anything() -> None:
    """Print question marks where the console's code page lacks a character."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    raise SystemExit(main())

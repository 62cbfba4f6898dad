"""nbgrader's formgrader, started for real and read in a browser."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import FLAGS, chromium
from classroom import STEM
from nbgrader_course import Course, environment

pytestmark = [
    pytest.mark.slow,
    pytest.mark.sandbox,
    pytest.mark.browser,
]
SECONDS = 120
SHOTS = os.environ.get("CONVLENS_SHOTS")  # a folder, for whoever wants to look


@pytest.fixture
def formgrader(own: Course, tmp_path: Path) -> Iterator[str]:
    """Address of a Jupyter server in the course."""
    home = tmp_path / "jupyter"
    home.mkdir()
    extensions = {"nbgrader.server_extensions.formgrader": True}
    (home / "jupyter_server_config.json").write_text(
        json.dumps({"ServerApp": {"jpserver_extensions": extensions}})
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--no-browser", "--allow-root", "--IdentityProvider.token=", f"--port={port}"]
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", *words],
            cwd=own.root,
            env=environment(home),
            stdout=log,
            stderr=log,
        )
    address = f"http://127.0.0.1:{port}/formgrader"
    try:
        end = time.monotonic() + SECONDS
        while not _answers(address):
            assert server.poll() is None and time.monotonic() < end, (
                tmp_path / "server.log"
            ).read_text()[-3000:]
            time.sleep(0.5)
        yield address
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


@pytest.fixture
def driver() -> Iterator[Any]:
    if not chromium():
        pytest.skip("no Chromium here")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium() or ""
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        found = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
        yield found
        found.quit()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=10) as page:
            return bool(page.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def seen(driver: Any, address: str, *words: str) -> str:
    """Open a page, wait for these words, and return all that it says."""
    driver.get(address)
    end = time.monotonic() + SECONDS
    while not all(word in (text := driver.find_element("tag name", "body").text) for word in words):
        assert time.monotonic() < end, text
        time.sleep(0.5)
    if SHOTS:
        name = address.partition("/formgrader/")[2].replace("/", "-")[:40]
        driver.save_screenshot(f"{SHOTS}/{name}.png")
    return str(text)


def test_an_instructor_sees_grades_sentences_and_grades_again(
    formgrader: str, own: Course, driver: Any
):
    assert "l11_saliency" in seen(driver, f"{formgrader}/manage_assignments", STEM)
    page = seen(driver, f"{formgrader}/manage_submissions/{STEM}", "ada", "cem", "O'Neill")
    rows = {line.split()[0]: line for line in page.splitlines() if line.split()}
    for student, score in (("ada", "17"), ("bob", "16.25"), ("cem", "0")):
        assert f" {score} / 17" in _row(driver, student), rows
    (where,) = own.ask(
        "SELECT n.id FROM submitted_notebook n JOIN submitted_assignment a "
        "ON a.id = n.assignment_id WHERE a.student_id = 'cem'"
    )
    text = seen(driver, f"{formgrader}/submissions/{where[0]}", "not right yet: 0 of 4 points")
    comments = [box.get_attribute("value") for box in driver.find_elements("tag name", "textarea")]
    shown = [
        box.get_attribute("placeholder") for box in driver.find_elements("tag name", "textarea")
    ]
    assert any("A mean was taken" in str(c) for c in comments + shown), (text, comments, shown)
    # What formgrader's button asks the server for.
    driver.get(f"{formgrader}/manage_submissions/{STEM}")
    answer = driver.execute_async_script(
        "const done = arguments[1];"
        "const xsrf = document.cookie.match(/_xsrf=([^;]*)/);"
        "fetch(arguments[0], {method: 'POST', headers: xsrf ? {'X-XSRFToken': xsrf[1]} : {}})"
        ".then(r => r.json()).then(done).catch(e => done({success: false, error: String(e)}))",
        f"{formgrader}/api/submission/{STEM}/bob/autograde",
    )
    assert answer["success"], answer
    assert own.scores("bob")["saliency_map"] == 3.25


def _row(driver: Any, student: str) -> str:
    for row in driver.find_elements("css selector", "tbody tr"):
        if student in row.text.split():
            return " ".join(row.text.split())
    return ""

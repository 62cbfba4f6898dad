"""A real Chromium that asks a server of our own, and a record of everything it asks."""

from __future__ import annotations

import functools
import gzip
import http.server
import json
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1000",
)
AXE = Path(__file__).parent / "axe.min.js"  # axe-core 4.14.1, MPL-2.0, see axe.LICENSE
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def chromium() -> str | None:
    """Path of Chromium, where there is one with its driver."""
    return shutil.which("chromium") if shutil.which("chromedriver") else None


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """A server that compresses text, as any host does."""

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if path.suffix not in {".html", ".css", ".js", ".json", ".svg"} or not path.is_file():
            super().do_GET()
            return
        data = gzip.compress(path.read_bytes(), 6)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Browser:
    """Chromium on a built site."""

    def __init__(self, site: Path) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        handler = functools.partial(_Quiet, directory=str(site))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.home = f"http://127.0.0.1:{self.server.server_port}/"
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        options = webdriver.ChromeOptions()
        options.binary_location = chromium() or ""
        for flag in (*FLAGS, f"--user-data-dir={self.profile.name}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        self.driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
        self.driver.set_script_timeout(60)
        # A page of the same process may still see what was cleared from outside, so clear inside.
        forget = {"source": "try { localStorage.clear(); sessionStorage.clear() } catch {}"}
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", forget)
        self.driver.get("about:blank")
        self.driver.get_log("performance")  # what the browser's own start page asked for

    def close(self) -> None:
        """End the browser and the server."""
        self.driver.quit()
        self.server.shutdown()
        self.server.server_close()
        self.profile.cleanup()

    def open(self, page: str, scheme: str = "light", width: int = 1280) -> None:
        """Open a page of the site and wait until its maths is set."""
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.get("about:blank")
        self.driver.get(self.home + page)
        self.wait("document.readyState === 'complete'")
        self.wait(
            "!document.querySelector('.arithmatex') || document.documentElement.dataset.maths"
        )

    def wait(self, condition: str) -> None:
        """Wait until an expression of JavaScript is true."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 20, 0.05).until(lambda _: self.ask(f"!!({condition})"))

    def ask(self, expression: str) -> Any:
        """The value of an expression of JavaScript."""
        return self.driver.execute_script(f"return {expression}")

    def unfold(self) -> None:
        """Open every hint and solution, as a reader may."""
        self.driver.execute_script(
            "for (const d of document.querySelectorAll('details')) d.open = true"
        )

    def violations(self) -> list[str]:
        """What axe finds wrong for levels A and AA, with the first place of each."""
        self.driver.execute_script(AXE.read_text(encoding="utf-8"))
        found = self.driver.execute_async_script(
            "const done = arguments[1];"
            "axe.run(document, {runOnly: arguments[0]}).then(r => done(r.violations.map("
            "  v => [v.id, v.nodes.length, v.nodes[0].html, v.nodes[0].failureSummary])))",
            RULES,
        )
        return [json.dumps(violation) for violation in found]

    def asked(self) -> list[str]:
        """Addresses asked for since the last call."""
        return self.loaded()[0]

    def loaded(self) -> tuple[list[str], dict[str, int]]:
        """Addresses asked for since the last call, and the bytes of pictures and of the rest."""
        urls, kinds = [], {}
        sizes = {"Image": 0, "other": 0}
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            given = message["params"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(given["request"]["url"])
            elif message["method"] == "Network.responseReceived":
                kinds[given["requestId"]] = "Image" if given["type"] == "Image" else "other"
            elif message["method"] == "Network.loadingFinished":
                sizes[kinds.get(given["requestId"], "other")] += int(given["encodedDataLength"])
        return urls, sizes

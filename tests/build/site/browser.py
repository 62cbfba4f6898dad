"""A real Chromium that asks a server of our own, and a record of everything it asks."""

from __future__ import annotations

import functools
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
    def log_message(self, *_: Any) -> None:
        pass


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
        self.driver.execute_cdp_cmd("Storage.clearDataForOrigin", self._everything())
        self.driver.get(self.home + page)
        self.wait("document.readyState === 'complete'")
        self.wait(
            "!document.querySelector('.arithmatex') || document.documentElement.dataset.maths"
        )

    def _everything(self) -> dict[str, str]:
        return {"origin": self.home.rstrip("/"), "storageTypes": "all"}

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
            "for (const d of document.querySelectorAll('details')) d.open = true;"
            "for (const i of document.querySelectorAll('.tabbed-set > input:last-of-type'))"
            "  i.checked = true"
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
        urls = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(message["params"]["request"]["url"])
        return urls

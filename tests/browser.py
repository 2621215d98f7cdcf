"""A real headless browser for pages."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Page:
    """What a browser made of a page."""

    dom: str
    console: list[str]
    """Every line that the page's console got: a report logs nothing, so each one is an error."""

    @property
    def probe(self) -> dict[str, Any]:
        """Result of the script that `Browser.open` was given, as it wrote it into `<pre id="probe">`."""
        found = re.search(r'<pre id="probe">(.*?)</pre>', self.dom, re.S)
        assert found, f"the probe did not finish: {self.console}"
        result: dict[str, Any] = json.loads(html.unescape(found[1]))
        return result


@dataclass(frozen=True)
class Browser:
    """A real headless Chromium."""

    executable: str
    folder: Path

    def open(self, page: str, probe: str = "") -> Page:
        """Load a page, run the body of a function on it that returns an object, and let its timers run out."""
        if probe:
            write = f"""addEventListener("load", () => {{
                const pre = document.createElement("pre");
                pre.id = "probe";
                pre.textContent = JSON.stringify((() => {{ {probe} }})());
                document.body.append(pre);
            }});"""
            page = page.replace("</body>", f"<script>{write}</script></body>")
        file = self.folder / "page.html"
        file.write_text(page, encoding="utf-8")
        flags = (
            "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
            "--disable-component-update --disable-sync --window-size=1280,900 --enable-logging=stderr "
            "--virtual-time-budget=5000 --dump-dom"
        )
        command = [self.executable, *flags.split(), f"--user-data-dir={self.folder / 'profile'}", file.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return Page(done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line])


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if executable := shutil.which(name):
            return Browser(executable, tmp_path_factory.mktemp("browser"))
    pytest.skip("no chromium, chromium-browser or google-chrome on this machine")

"""Headless Chromium loads a page of 200 objects through each proxy."""

from __future__ import annotations

from pathlib import Path

import pytest

from programs.gateway import Gateway
from programs.processes import free_port, program, run
from programs.web import Answer, Web

OBJECTS = 200
_PAGE = """<!doctype html><title>waiting</title><p id="state">loading</p>
<script>
let loaded = 0, failed = 0;
const tell = () => {
  const state = loaded + " loaded, " + failed + " failed";
  document.getElementById("state").textContent = state;
  document.title = state;
};
for (let i = 0; i < %d; i++) {
  const image = new Image(24, 24);
  image.onload = () => { loaded++; tell(); };
  image.onerror = () => { failed++; tell(); };
  image.src = "/image/" + i + ".svg";
  document.body.append(image);
}
</script>"""
_IMAGE = """<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24">
<rect width="24" height="24" fill="hsl(%d 70%% 50%%)"/></svg>"""
# Nothing but the page: no calls home, which would be asked for through the proxy.
_QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--proxy-bypass-list=<-loopback>",
)


def page(path: str) -> Answer:
    """The page, and the images that it asks for."""
    if path == "/":
        return 200, "text/html", (_PAGE % OBJECTS).encode()
    if path.startswith("/image/"):
        number = int(path.removeprefix("/image/").removesuffix(".svg"))
        return 200, "image/svg+xml", (_IMAGE % (number * 360 // OBJECTS)).encode()
    return 404, "text/plain", b"nothing here"


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_a_page_of_200_objects_loads(kind: str, gateway: Gateway, tmp_path: Path) -> None:
    chromium = program("chromium")
    with Web(page) as web:
        gateway.serve(rules=(f"*=127.0.0.1:{web.port}",))
        port = free_port()
        gateway.tunnel("--http" if kind == "http" else "-D", str(port))
        common = (
            *_QUIET,
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--proxy-server={kind}://127.0.0.1:{port}",
            "--timeout=60000",
            "--virtual-time-budget=60000",
        )
        address = f"http://127.0.0.1:{web.port}/"
        document = run(chromium, *common, "--dump-dom", address).stdout.decode()
        assert f'<p id="state">{OBJECTS} loaded, 0 failed</p>' in document
        asked = {path for _, path, _ in web.requests}
        assert {f"/image/{number}.svg" for number in range(OBJECTS)} <= asked
        picture = tmp_path / "page.png"
        run(chromium, *common, f"--screenshot={picture}", "--window-size=800,600", address)
        assert picture.read_bytes().startswith(b"\x89PNG")

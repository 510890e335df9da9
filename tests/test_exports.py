"""The public names: complete, found where they live, and cheap to import."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import fastmux

ROOT = Path(__file__).parent.parent
# The names of the public interface, written out: a name that disappears breaks somebody's program.
PUBLIC = {
    *("PLAINTEXT", "TLSConfig", "PeerIdentity", "connect", "listen"),
    *("Backoff", "RandomIds", "RoutableIds", "WorkerPlace", "bind_group"),
    *("Connection", "MessageChannel", "Server", "Stream"),
    *("AuthenticationError", "BrokenResourceError", "BusyResourceError", "ChannelReset"),
    *("ClosedResourceError", "ConnectionClosed", "EndOfStream", "HandshakeError"),
    *("MessageTooBig", "ProtocolError", "WouldBlock"),
    *("__version__", "constants", "core", "exceptions"),
}
HEAVY = ("OpenSSL", "anyio", "asyncio", "click", "cryptography", "msgspec", "socket", "ssl", "trio", "uvloop")


def loaded_after(statement: str) -> set[str]:
    """The modules that a fresh interpreter holds after a statement."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return set(result.stdout.split())


def test_the_public_names_are_exactly_the_documented_ones() -> None:
    assert set(fastmux.__all__) == PUBLIC
    assert len(fastmux.__all__) == len(PUBLIC)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_can_be_imported_and_is_listed(name: str) -> None:
    assert getattr(fastmux, name) is getattr(fastmux, name)
    assert name in dir(fastmux)


def test_every_exception_is_public() -> None:
    module = importlib.import_module("fastmux.exceptions")
    defined = {name for name, value in vars(module).items() if isinstance(value, type)}
    assert defined <= PUBLIC


def test_a_public_class_is_the_one_in_its_home() -> None:
    for name, home in (
        ("Stream", "fastmux.aio.stream"),
        ("TLSConfig", "fastmux.security.config"),
        ("PeerIdentity", "fastmux.protocol.handshake"),
        ("ChannelReset", "fastmux.exceptions"),
    ):
        assert getattr(fastmux, name) is getattr(importlib.import_module(home), name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    name = "nothing"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(fastmux, name)


def test_importing_fastmux_loads_no_heavy_module() -> None:
    assert not loaded_after("import fastmux").intersection(HEAVY)
    assert not loaded_after("import fastmux; fastmux.ChannelReset").intersection(HEAVY)


def test_naming_a_tls_configuration_does_not_load_openssl() -> None:
    loaded = loaded_after("import fastmux; fastmux.TLSConfig")
    assert not loaded.intersection({"OpenSSL", "asyncio", "cryptography"})


@pytest.mark.parametrize("library", ["anyio", "trio"])
def test_an_adapter_without_its_library_says_what_to_install(library: str) -> None:
    code = f"import sys; sys.modules[{library!r}] = None\nimport fastmux.{library}"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 1
    assert f"remedy: pip install 'fastmux[{library}]'" in result.stderr.splitlines()[-1]


def test_anyio_on_asyncio_does_not_load_trio() -> None:
    pytest.importorskip("anyio", reason="anyio is not installed")
    assert not loaded_after("import fastmux.anyio").intersection({"trio", "uvloop"})


def test_the_version_is_that_of_the_project_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert fastmux.__version__ == project["version"]


def test_the_package_says_that_it_is_typed() -> None:
    assert Path(fastmux.__file__).with_name("py.typed").exists()

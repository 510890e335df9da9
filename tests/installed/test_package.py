"""The package as pip installs it: what is in it, and what is not.

Only where FASTMUX_TEST_INSTALLED is on (`make wheels`): in a checkout `fastmux` is the source itself.
"""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastmux
from fastmux import core
from fastmux._switches import is_on

pytestmark = pytest.mark.skipif(
    not is_on(os.environ.get("FASTMUX_TEST_INSTALLED")), reason="about an installed wheel: `make wheels`"
)
PACKAGE = Path(fastmux.__file__).parent


def files() -> list[str]:
    """All files of the wheel, as its record has them."""
    return [str(path) for path in importlib.metadata.files("fastmux") or []]


def test_it_is_the_installed_package_that_is_tested() -> None:
    assert PACKAGE.is_relative_to(Path(sys.prefix))
    assert PACKAGE.parent.name == "site-packages"


def test_its_version_is_that_of_the_source() -> None:
    assert importlib.metadata.version("fastmux") == fastmux.__version__


def test_type_checkers_find_its_types() -> None:
    assert (PACKAGE / "py.typed").is_file()
    assert (PACKAGE / "_core.pyi").is_file()


def test_no_source_of_the_extension_and_no_test_is_installed() -> None:
    assert [name for name in files() if name.endswith((".pyx", ".pxi", ".pxd", ".c"))] == []
    assert [name for name in files() if name.startswith(("tests/", "bench/", "tools/", "docs/"))] == []


def test_a_wheel_has_either_one_extension_or_none() -> None:
    extensions = [name for name in files() if name.endswith((".so", ".pyd"))]
    assert len(extensions) == (1 if is_compiled_wheel() else 0)
    if not is_compiled_wheel():
        assert core.IMPLEMENTATION == "python"


def is_compiled_wheel() -> bool:
    tags = importlib.metadata.distribution("fastmux").read_text("WHEEL") or ""
    return "Tag: py3-none-any" not in tags


def test_every_room_of_the_source_is_a_package_that_can_be_imported() -> None:
    modules = [
        name.removesuffix(".py").replace("/", ".")
        for name in files()
        if name.endswith("/__init__.py") and name.split("/")[1] not in ("anyio", "trio", "dask")
    ]
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    names = [name.removesuffix(".__init__") for name in modules]
    command = [sys.executable, "-P", "-c", code, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_is_installed_and_says_which_core_it_has() -> None:
    command = Path(sys.executable).with_name("fastmux")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == core.describe()

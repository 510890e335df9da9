"""Builds the one extension, `fastmux._core`; all else about the package is in pyproject.toml.

Its switches are in src/fastmux/_switches.py. Where no compiler works, the pure core is installed.
"""

import os
import runpy
import subprocess
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError, CompileError

ROOT = Path(__file__).parent
switches = runpy.run_path(str(ROOT / "src/fastmux/_switches.py"))
NO_EXTENSIONS, REQUIRE_EXTENSIONS, SANITIZE = (
    switches["is_on"](os.environ.get(switches[name]))
    for name in ("NO_EXTENSIONS", "REQUIRE_EXTENSIONS", "SANITIZE")
)
SANITIZERS = "-fsanitize=address,undefined"
REMEDY = "fastmux: the compiled core could not be built, the pure one is installed; remedy: "


class BuildExtension(build_ext):
    """Says what to do when the compiler fails; setuptools goes on if the extension is optional."""

    def build_extension(self, ext: Extension) -> None:
        try:
            super().build_extension(ext)
        except (BaseError, CCompilerError, OSError, subprocess.CalledProcessError) as error:
            if ext.optional:
                print(REMEDY + switches["REMEDY"], file=sys.stderr, flush=True)
            raise CompileError(str(error)) from error  # what an optional extension survives


def build_extensions() -> list[Extension]:
    """The compiled core."""
    flags = ["/O2"] if os.name == "nt" else ["-O3"]
    if SANITIZE:
        flags = ["-O1", "-g", "-fno-omit-frame-pointer", SANITIZERS, "-DFASTMUX_NO_POOLS"]
    core = Extension(
        "fastmux._core",
        ["src/fastmux/_core.pyx"],
        depends=sorted(f"src/fastmux/_pxi/{p.name}" for p in ROOT.glob("src/fastmux/_pxi/*.pxi")),
        extra_compile_args=flags,
        extra_link_args=[SANITIZERS] if SANITIZE else [],
    )
    extensions: list[Extension] = cythonize([core], build_dir="build/cython")
    for extension in extensions:  # new objects: cythonize forgets this attribute
        extension.optional = not REQUIRE_EXTENSIONS
    return extensions


extensions = [] if NO_EXTENSIONS else build_extensions()
setup(ext_modules=extensions, cmdclass={"build_ext": BuildExtension})

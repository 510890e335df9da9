"""Sphinx's settings. `make docs` builds the site; a warning is an error there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for the two extensions of its own

project = "fastmux"
author = "the fastmux authors"
copyright = author
VERSION_FILE = HERE.parent / "src/fastmux/_version.py"
release = re.findall(r'__version__\b.*"(.+)"', VERSION_FILE.read_text("utf-8"))[0]
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "docstrings",
    "plots",
]
exclude_patterns = ["programs"]
root_doc = "index"

html_theme = "furo"
html_title = f"fastmux {release}"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b6e99", "color-brand-content": "#0b6e99"},
    "dark_css_variables": {"color-brand-primary": "#5fb8dc", "color-brand-content": "#5fb8dc"},
}
html_static_path = ["static"]
html_css_files = ["fastmux.css"]
html_show_sourcelink = False
html_show_copyright = False

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_class_signature = "separated"
autodoc_default_options = {"members": True}
add_module_names = False
python_use_unqualified_type_names = True
default_role = "code"  # docstrings say `name` for code, as Markdown does

# Names in signatures that have no page: other packages', and inner types that a user does not meet by name.
nitpick_ignore_regex = [
    ("py:class", r"(anyio|trio|asyncio|collections|contextlib|logging|os|socket|types|typing\w*)\..*"),
    ("py:class", r"(distributed|prometheus_client)\..*"),
    ("py:.*", r"(Any|Awaitable|Buffer|Callable|Coroutine|Final|Generator|PathLike|Self|Sequence|TypeAlias)"),
    ("py:(class|exc|obj)", r"[a-z_]*\.?(Error|Exception|Event|BaseException|float|int|str|bytes|bool|None)"),
    ("py:.*", r"(fastmux\.(aio|anyio|dask|trio|protocol|records|security|core|constants)|_core)\..*"),
    ("py:(class|data|obj|exc)", r"[A-Z_]\w*"),
    ("py:class", r"(property|object|optional)"),
]
suppress_warnings: list[str] = []

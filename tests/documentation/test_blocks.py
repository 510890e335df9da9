"""The blocks in the pages: Python runs, commands and options exist, configuration files are valid."""

from __future__ import annotations

import asyncio
import re
import shlex
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest

import fastmux
from documentation.pages import ROOT, blocks, echoing, name_of, pages
from fastmux.tunnel.cli import main as command

# Pages whose Python has a test of its own.
ELSEWHERE = {
    "README.md": "tests/test_readme.py",
    "docs/portmux.md": "tests/portmux/test_page.py",
    "docs/scaling.md": "tests/test_scaling.py",
}
PYTHON = [
    pytest.param(code, id=f"{name_of(page)}-{number}")
    for page in pages()
    if name_of(page) not in ELSEWHERE
    for number, code in enumerate(blocks(page, "python"))
]
SHELL = [
    (name_of(page), line) for page in pages() for code in blocks(page, "sh") for line in code.splitlines()
]
TOML = [(name_of(page), block) for page in pages() for block in blocks(page, "toml")]


def as_coroutine(code: str, port: int) -> str:
    """The block as the body of a coroutine, speaking to this port of loopback; gives its names back."""
    code = code.replace('"gw.example", 4433', f'"127.0.0.1", {port}')
    code = code.replace('start_http_server(9102, "127.0.0.1")', "generate_latest(prometheus_client.REGISTRY)")
    head = "async def example(conn, connection, server, tls):\n"
    return head + textwrap.indent(code, "    ") + "\n    return locals()\n"


async def handles(handler: Any) -> None:
    """Whether a page's `handler(conn)` answers what a client sends."""
    server = await fastmux.listen(handler, "127.0.0.1", 0, tls=fastmux.PLAINTEXT, close_timeout=0)
    async with server, fastmux.connect("127.0.0.1", server.port, tls=fastmux.PLAINTEXT) as conn:
        for _ in range(6):
            async with await conn.open_stream() as stream:
                await stream.send(b"hello")
                assert (await stream.receive()).lower() == b"hello"


@pytest.mark.parametrize("code", PYTHON)
def test_a_block_of_python_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "prometheus" in code:
        client = pytest.importorskip("prometheus_client")
        monkeypatch.setattr(client, "REGISTRY", client.CollectorRegistry())

    async def run() -> None:
        names: dict[str, Any] = {"fastmux": fastmux, "asyncio": asyncio}
        async with echoing(tmp_path) as (server, tls):
            exec(as_coroutine(code, server.port), names)
            async with fastmux.connect("127.0.0.1", server.port, tls=tls) as conn:
                made = await asyncio.wait_for(names["example"](conn, conn, server, tls), 20)
        if "handler" in made and "listen(" not in code:  # a page that shows the server's part alone
            await asyncio.wait_for(handles(made["handler"]), 20)

    asyncio.run(run())


def subcommand(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that words after `fastmux` name, and the options among them."""
    found: click.Command = command
    context = click.Context(command)
    while isinstance(found, click.Group) and words and not words[0].startswith("-"):
        inner = found.get_command(context, words[0])
        assert inner is not None, f"there is no command {words[0]}"
        found, words = inner, words[1:]
    return found, [word.partition("=")[0] for word in words if word.startswith("-")]


def lines_with(start: str) -> list[Any]:
    return [pytest.param(line, id=f"{page}: {line[:60]}") for page, line in SHELL if line.startswith(start)]


@pytest.mark.parametrize("line", lines_with("fastmux "))
def test_a_command_line_names_commands_and_options_that_exist(line: str) -> None:
    found, options = subcommand(shlex.split(line)[1:])
    known = {name for parameter in found.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {option for option in options if option not in {*known, "--help"}} == set()


@pytest.mark.parametrize("line", lines_with("make "))
def test_a_make_line_names_targets_that_exist(line: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    words = shlex.split(line, comments=True)[1:]
    assert {word for word in words if "=" not in word} <= targets


def test_every_extra_in_the_pages_exists() -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    named = {
        extra.strip()
        for page in pages()
        for extras in re.findall(r"fastmux\[([a-z, -]+)\]", page.read_text("utf-8"))
        for extra in extras.split(",")
    }
    assert named
    assert named <= set(known)


@pytest.mark.parametrize("block", [pytest.param(text, id=page) for page, text in TOML])
def test_a_configuration_file_in_the_pages_is_valid(block: str, tmp_path: Path) -> None:
    pytest.importorskip("msgspec")
    from fastmux.tunnel.settings.configuration import parse_configuration

    parse_configuration(block.encode(), tmp_path / "page.toml")

"""`fastmux cert`: issue, show, pin, renew."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fastmux.security.certificates import make_credentials
from fastmux.tunnel.certs import facts_of, read_certificates
from fastmux.tunnel.commands.cert import command


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory as `fastmux init` makes it."""
    make_credentials(tmp_path / "d")
    return tmp_path / "d"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def pin(path: Path) -> str:
    return facts_of(read_certificates(path)[0]).pin


def test_a_client_is_issued_unless_a_server_is_asked_for(directory: Path) -> None:
    for arguments, role in (
        (("a",), "client"),
        (("b", "--client"), "client"),
        (("c", "--server"), "server"),
        (("e", "--server", "--client"), "server, client"),
        (("d", "--server", "--name", "d.example", "--days", "5"), "server"),
    ):
        result = run("issue", *arguments, "--dir", directory)
        assert result.exit_code == 0 and f"role     {role}\n" in result.output
        assert (directory / f"{arguments[0]}.key").is_file()
    assert "names    d.example" in result.output and "(5 days left)" in result.output


def test_the_directory_is_that_of_init(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(directory.parent))
    directory.rename(directory.parent / "fastmux")
    assert run("issue", "laptop").exit_code == 0
    assert (directory.parent / "fastmux/laptop.pem").is_file()


@pytest.mark.parametrize(
    "arguments", [("../a",), (".a",), ("x" * 65,), ("a", "--name", "b c"), ("a", "--days", "0")]
)
def test_a_name_that_is_none_is_a_usage_error(directory: Path, arguments: tuple[str, ...]) -> None:
    before = sorted(directory.iterdir())
    assert run("issue", *arguments, "--dir", directory).exit_code == 2
    assert sorted(directory.iterdir()) == before


def test_without_a_ca_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    result = run("issue", "laptop", "--dir", tmp_path)
    assert result.exit_code == 3 and "fastmux init" in result.stderr


def test_show_tells_all_and_whether_the_key_matches(directory: Path) -> None:
    result = run("show", directory / "server.pem")
    assert result.exit_code == 0
    for text in (
        "subject  server",
        "localhost",
        "role     server",
        "365 days left",
        "fastmux CA",
        "key beside it matches",
    ):
        assert text in result.output
    assert pin(directory / "server.pem") in result.output
    (directory / "server.key").write_bytes((directory / "client.key").read_bytes())
    assert "key of another certificate" in run("show", directory / "server.pem").output


def test_show_tells_of_every_certificate_in_the_file(directory: Path) -> None:
    chain = directory / "chain.pem"
    chain.write_bytes((directory / "client.pem").read_bytes() + (directory / "ca.pem").read_bytes())
    output = run("show", chain).output
    assert (
        output.index("role     client") < output.index("then in the same file") < output.index("role     CA")
    )


def test_pin_prints_the_pin_and_nothing_else(directory: Path) -> None:
    assert run("pin", directory / "client.pem").output == pin(directory / "client.pem") + "\n"


@pytest.mark.parametrize("verb", ["show", "pin", "renew"])
def test_what_is_no_certificate_is_named(directory: Path, verb: str) -> None:
    result = run(verb, directory / "server.key")
    assert result.exit_code == 3 and "holds a private key" in result.stderr
    result = run(verb, directory / "none.pem")
    assert result.exit_code == 3 and "none.pem: No such file" in result.stderr
    assert "PRIVATE" not in result.output


def test_renew_keeps_the_pin_and_the_old_file(directory: Path) -> None:
    before = pin(directory / "server.pem")
    result = run("renew", directory / "server.pem", "--days", 700)
    assert result.exit_code == 0 and "(700 days left)" in result.output
    assert f"kept as {directory}/server.pem.old" in result.output
    assert pin(directory / "server.pem") == before and "pin changed" not in result.output


def test_renew_with_a_new_key_says_that_the_pin_changed(directory: Path) -> None:
    before = pin(directory / "client.pem")
    result = run("renew", directory / "client.pem", "--new-key")
    assert result.exit_code == 0 and f"The pin changed from {before}" in result.output


def test_renew_takes_the_ca_from_elsewhere(directory: Path, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir(mode=0o700)
    for suffix in (".pem", ".key"):
        (directory / f"client{suffix}").rename(away / f"client{suffix}")
    assert run("renew", away / "client.pem").exit_code == 3
    assert run("renew", away / "client.pem", "--dir", directory).exit_code == 0


@pytest.mark.parametrize("arguments", [(), ("issue",), ("show",), ("pin",), ("renew",)])
def test_help_has_examples(arguments: tuple[str, ...]) -> None:
    result = run(*arguments, "--help")
    assert result.exit_code == 0 and "Example" in result.output

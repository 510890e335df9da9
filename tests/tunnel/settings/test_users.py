"""--user NAME:FILE: the password is in a private file, never on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastmux.tunnel.exits import ConfigurationError
from fastmux.tunnel.settings.users import read_users


def password(directory: Path, text: bytes, mode: int = 0o600) -> str:
    path = directory / "password"
    path.write_bytes(text)
    path.chmod(mode)
    return str(path)


def test_the_first_line_is_the_password(tmp_path: Path) -> None:
    path = password(tmp_path, b"s3:cret\r\nand a note\n")
    assert read_users([f"ann:{path}"]) == {"ann": "s3:cret"}


@pytest.mark.parametrize("text", ["ann", "ann:", ":file", ""])
def test_what_is_no_name_and_file_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not NAME:FILE"):
        read_users([text])


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = password(tmp_path, b"secret\n", 0o644)
    with pytest.raises(ConfigurationError, match=r"password file .* too open") as caught:
        read_users([f"ann:{path}"])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\nsecond line\n", b"x" * 256])
def test_no_password_and_one_that_no_protocol_carries_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigurationError, match="1 to 255 bytes"):
        read_users([f"ann:{password(tmp_path, content)}"])


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="UTF-8"):
        read_users([f"ann:{password(tmp_path, bytes([0xFF]))}"])


def test_a_missing_file_and_a_name_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no password file"):
        read_users([f"ann:{tmp_path / 'gone'}"])
    path = password(tmp_path, b"secret")
    with pytest.raises(ConfigurationError, match="twice"):
        read_users([f"ann:{path}", f"ann:{path}"])
    with pytest.raises(ConfigurationError, match="longer than"):
        read_users([f"{'x' * 256}:{path}"])

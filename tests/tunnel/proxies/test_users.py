"""Names and passwords: compared whole, kept as digests only."""

from __future__ import annotations

import pytest

from fastmux.tunnel.proxies.users import Users

USERS = Users({"ann": "secret", "bob": "", "žofie": "hesło"})


@pytest.mark.parametrize(("name", "password"), [("ann", "secret"), ("bob", ""), ("žofie", "hesło")])
def test_a_user_with_the_right_password_is_let_in(name: str, password: str) -> None:
    assert USERS.check(name.encode(), password.encode())


@pytest.mark.parametrize(
    ("name", "password"),
    [
        (b"ann", b""),
        (b"ann", b"Secret"),
        (b"ann", b"secret "),
        (b"anns", b"ecret"),
        (b"", b"annsecret"),
        (b"bob", b"secret"),
        (b"eve", b"secret"),
        (b"", b""),
        (b"ann\0", b"secret"),
        (b"x" * 100_000, b"y" * 100_000),
    ],
)
def test_everything_else_is_not(name: bytes, password: bytes) -> None:
    assert not USERS.check(name, password)


def test_no_secret_can_be_printed() -> None:
    users = Users({"ann": "secret"})
    assert "ann" not in repr(users)
    assert not any(b"secret" in repr(value).encode() for value in vars(users).values())


@pytest.mark.parametrize("users", [{}, {"": "x"}, {"a:b": "x"}])
def test_users_that_nobody_could_be_are_refused(users: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="user"):
        Users(users)

"""The configuration that users write."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

import fastmux.security
from fastmux.constants import VERSION_1, VERSION_PLAINTEXT
from fastmux.security.config import PLAINTEXT, TLSConfig
from fastmux.security.handshake import TLSHandshake
from fastmux.security.plaintext import PlaintextHandshake
from security.support import HOST, World, pump


def test_a_configuration_makes_both_ends_of_a_handshake(world: World) -> None:
    client = world.client().create_handshake(True, HOST)
    server = world.server().create_handshake(False, None)
    assert isinstance(client, TLSHandshake) and isinstance(server, TLSHandshake)
    assert pump(client, server) == [None, None]
    assert client.version == server.version == VERSION_1


def test_a_configuration_knows_its_version_before_any_handshake(world: World) -> None:
    assert world.client().version == VERSION_1
    assert PLAINTEXT.version == VERSION_PLAINTEXT


def test_plaintext_makes_both_ends_with_randomness_of_their_own() -> None:
    client, server = PLAINTEXT.create_handshake(True), PLAINTEXT.create_handshake(False, HOST)
    assert isinstance(client, PlaintextHandshake)
    assert pump(client, server) == [None, None]
    again = PLAINTEXT.create_handshake(True)
    client.start()
    again.start()
    assert client.send() != again.send()


def test_paths_may_be_strings_or_paths_and_end_as_strings(world: World) -> None:
    made = world.client()
    again = TLSConfig(Path(made.certfile), Path(made.keyfile), Path(made.cafile))
    assert again == made and hash(again) == hash(made)
    assert isinstance(again.certfile, str)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pins": ("md5//x",)}, "pin 'md5//x' is not sha256//"),
        ({"pins": ("sha256//" + "A" * 44,)}, "is not sha256//"),
        ({"pins": "sha256//"}, "pins is a tuple of strings"),
        ({"ciphers": ("AES128-SHA",)}, "cipher 'AES128-SHA' is none of TLS_AES_128_GCM_SHA256"),
        ({"ciphers": "TLS_AES_128_GCM_SHA256"}, "ciphers is a tuple of strings"),
        ({"server_hostname": "no host"}, "neither a host name nor an IP address"),
    ],
)
def test_a_value_that_cannot_be_is_refused_at_once(
    world: World, change: dict[str, object], message: str
) -> None:
    made = dataclasses.asdict(world.client())
    with pytest.raises(ValueError, match=message):
        TLSConfig(**(made | change))


@pytest.mark.parametrize("name", ["certfile", "keyfile", "cafile"])
def test_a_missing_file_is_named_at_once(world: World, name: str) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere.pem"):
        TLSConfig(**(dataclasses.asdict(world.client()) | {name: world.directory / "nowhere.pem"}))


def test_a_key_that_others_can_read_is_refused_at_once(world: World) -> None:
    config = world.client()
    Path(config.keyfile).chmod(0o640)
    with pytest.raises(PermissionError, match="permissions 0640 of key file .* chmod 600"):
        dataclasses.replace(config)


def test_a_list_of_pins_becomes_a_tuple(world: World) -> None:
    pin = "sha256//" + "A" * 43 + "="
    made = dataclasses.asdict(world.client()) | {"pins": [pin]}
    assert TLSConfig(**made).pins == (pin,)


def test_no_content_of_a_file_shows_in_the_repr(world: World) -> None:
    config = world.client()
    assert "BEGIN" not in repr(config) and "client.key" in repr(config)


def test_importing_the_room_loads_neither_openssl_nor_asyncio() -> None:
    code = "import sys, fastmux.security; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(run.stdout.split())
    assert "fastmux.security.config" in loaded
    assert not loaded & {"OpenSSL", "cryptography", "asyncio", "_ssl"}
    assert set(fastmux.security.__all__) <= set(vars(fastmux.security))

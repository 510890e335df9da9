"""Contexts: one per configuration, made anew when its files change."""

from __future__ import annotations

import dataclasses
import gc
import logging
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from OpenSSL import SSL

from fastmux.security import contexts
from fastmux.security.certificates import issue_client, issue_server, make_ca
from fastmux.security.contexts import context_for, make_context
from security.support import HOST, World, pump


def replace(path: Path, data: bytes) -> None:
    """Replace a file as certificate tools do: a new file renamed over the old one."""
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.chmod(0o600)
    os.replace(new, path)


def test_a_context_is_made_once_while_its_files_stay(world: World) -> None:
    config = world.server()
    assert context_for(config) is context_for(config)
    assert context_for(dataclasses.replace(config)) is context_for(config)


def test_other_configurations_have_contexts_of_their_own(world: World) -> None:
    config = world.server()
    other = dataclasses.replace(config, ciphers=("TLS_AES_256_GCM_SHA384",))
    assert context_for(config) is not context_for(other)


@pytest.mark.parametrize("name", ["server.pem", "ca.pem"])
def test_a_changed_file_makes_a_new_context(world: World, name: str) -> None:
    config = world.server()
    old = context_for(config)
    path = world.directory / name
    replace(path, path.read_bytes() + b"\n")
    assert context_for(config) is not old


def test_without_reload_the_first_context_stays(world: World) -> None:
    config = dataclasses.replace(world.server(), reload=False)
    old = context_for(config)
    (world.directory / "server.pem").unlink()
    assert context_for(config) is old


def test_half_changed_files_leave_the_old_context_and_are_logged_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    config = world.server()
    old = context_for(config)
    renewed = issue_server(world.ca, "renewed")
    replace(world.directory / "server.pem", renewed.certificate_pem)
    with caplog.at_level(logging.WARNING, "fastmux.security"):
        assert context_for(config) is old
        assert context_for(config) is old
    assert len(caplog.records) == 1
    assert "is not the key of" in caplog.text and "the old ones stay" in caplog.text
    replace(world.directory / "server.key", renewed.key_pem)
    assert context_for(config) is not old


def test_a_vanished_file_leaves_the_old_context(world: World) -> None:
    config = world.server()
    old = context_for(config)
    (world.directory / "server.key").unlink()
    assert context_for(config) is old


def test_a_context_goes_with_its_configuration(world: World) -> None:
    config = world.server()
    context_for(config)
    gc.collect()  # what earlier tests left must not be counted
    count = len(contexts._loaded)
    del config
    gc.collect()
    assert len(contexts._loaded) == count - 1


def test_both_ends_must_show_a_certificate_and_no_session_is_kept(world: World) -> None:
    context = make_context(world.server())
    assert context.get_verify_mode() == SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    assert context.get_session_cache_mode() == SSL.SESS_CACHE_OFF


def pem(key: ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey, passphrase: bytes = b"") -> bytes:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("server.pem", b"", "server.pem is not a PEM file of certificates"),
        ("server.pem", b"not a certificate", "server.pem is not a PEM file of certificates"),
        ("ca.pem", b"not a certificate", "ca.pem is not a PEM file of certificates"),
        ("server.key", b"-----BEGIN PRIVATE KEY-----\nx\n", "is not a private key in PEM form"),
        (
            "server.key",
            pem(ec.generate_private_key(ec.SECP256R1())),
            "server.key is not the key of .*server.pem",
        ),
        (
            "server.key",
            pem(ec.generate_private_key(ec.SECP256R1()), b"secret"),
            "server.key is encrypted",
        ),
        ("server.key", pem(x25519.X25519PrivateKey.generate()), "a kind of key that TLS 1.3"),
    ],
)
def test_a_file_of_no_use_is_named_with_what_is_wrong(
    world: World, name: str, data: bytes, message: str
) -> None:
    config = world.server()
    replace(world.directory / name, data)
    with pytest.raises(ValueError, match=message):
        context_for(config)


def test_a_key_that_others_can_read_is_refused_when_it_is_loaded_too(world: World) -> None:
    config = world.server()
    (world.directory / "server.key").chmod(0o644)
    with pytest.raises(PermissionError, match="too open"):
        context_for(config)


def test_every_ca_of_a_bundle_is_trusted(world: World) -> None:
    bundle = world.directory / "bundle.pem"
    other = make_ca("other CA")
    bundle.write_bytes(other.certificate_pem + world.ca.certificate_pem)
    server = world.config("s", issue_server(world.ca, "server", [HOST]), cafile=bundle)
    for number, ca in enumerate((world.ca, other)):
        client = world.config(f"c{number}", issue_client(ca, "laptop"))
        assert pump(*world.pair(client, server)) == [None, None]

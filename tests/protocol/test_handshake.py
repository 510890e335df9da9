"""The interface of a handshake: every implementation offers all of it, and keys stay out of texts."""

from __future__ import annotations

import inspect

import pytest

from fastmux.protocol.handshake import Handshake, PacketKeys, PeerIdentity
from fastmux.security.handshake import TLSHandshake
from fastmux.security.plaintext import PlaintextHandshake
from protocol.scripted import ScriptedHandshake

NAMES = [name for name in vars(Handshake) if not name.startswith("_")]


@pytest.mark.parametrize("made", [TLSHandshake, PlaintextHandshake, ScriptedHandshake])
@pytest.mark.parametrize("name", NAMES)
def test_an_implementation_offers_the_whole_interface(made: type, name: str) -> None:
    promised, offered = getattr(Handshake, name), getattr(made, name)
    assert isinstance(offered, property) == isinstance(promised, property)
    if not isinstance(promised, property):
        assert list(inspect.signature(offered).parameters) == list(inspect.signature(promised).parameters)


def test_keys_do_not_show_in_a_representation() -> None:
    keys = PacketKeys(1, b"K" * 16, b"I" * 12, b"k" * 16, b"i" * 12, b"S" * 32, b"s" * 32)
    assert not any(secret in repr(keys) for secret in ("KKKK", "IIII", "kkkk", "iiii", "SSSS", "ssss"))


def test_an_anonymous_peer_has_empty_fields() -> None:
    assert PeerIdentity() == PeerIdentity("", (), (), (), "", b"")

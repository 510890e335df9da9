"""What a comm's label and answer say, and who may claim to listen at an address."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aio.pair import pair
from aio.virtual_loop import virtual
from fastmux import PeerIdentity
from fastmux.dask.frames import FrameError
from fastmux.dask.introduction import (
    claimed_address,
    is_comm,
    make_label,
    may_answer_for,
    receive_answer,
    send_answer,
)
from fastmux.security.certificates import Credential, issue_client, issue_peer, issue_server, make_ca
from fastmux.security.identity import identity_of

CA = make_ca(days=1)
HERE = ("10.0.0.1", 4433)


def peer(credential: Credential) -> PeerIdentity:
    return identity_of(credential.certificate)


@pytest.mark.parametrize("address", [("127.0.0.1", 8786), ("::1", 1), ("dask.example", 65535)])
def test_a_claim_is_read_as_it_was_written(address: tuple[str, int]) -> None:
    label = make_label(address)
    assert is_comm(label)
    assert claimed_address(label) == address


def test_without_a_claim_there_is_none() -> None:
    assert make_label(None) == "dask"
    assert is_comm("dask")
    assert claimed_address("dask") is None


def test_an_address_that_no_label_has_room_for_is_not_claimed() -> None:
    assert make_label(("x" * 300, 1)) == "dask"


@pytest.mark.parametrize("label", ["", "dask2", "fastmux:tcp:a:1", "das"])
def test_another_label_is_no_comm(label: str) -> None:
    assert not is_comm(label)


@pytest.mark.parametrize(
    "text", ["host", "host:", "host:x", "host:0", "host:65536", ":80", "ho st:80", "\x1b[2J:80", "1:2:3"]
)
def test_what_is_no_address_is_no_claim(text: str) -> None:
    assert claimed_address(f"dask {text}") is None


@pytest.mark.parametrize(
    ("credential", "claimed", "hostname", "verdict"),
    [
        (issue_peer(CA, "n", ["10.0.0.1"]), HERE, None, True),
        (issue_peer(CA, "n", ["10.0.0.2"]), HERE, None, False),
        (issue_peer(CA, "n", ["worker.example"]), ("worker.example", 1), None, True),
        (issue_peer(CA, "n", ["cluster.example"]), HERE, "cluster.example", True),
        (issue_peer(CA, "n", ["10.0.0.1"]), HERE, "cluster.example", False),
        (issue_server(CA, "s", ["10.0.0.1"]), HERE, None, True),
        (issue_client(CA, "c", ["10.0.0.1"]), HERE, None, False),
        (CA, HERE, None, False),
    ],
)
def test_a_claim_needs_the_certificate_of_a_server_of_that_name(
    credential: Credential, claimed: tuple[str, int], hostname: str | None, verdict: bool
) -> None:
    assert may_answer_for(peer(credential), ("10.0.0.1", 9), claimed, hostname) is verdict


def test_without_certificates_a_claim_needs_the_same_host() -> None:
    assert may_answer_for(PeerIdentity(), ("10.0.0.1", 9), HERE, None)
    assert not may_answer_for(PeerIdentity(), ("10.0.0.2", 9), HERE, None)


@virtual
async def test_an_answer_says_where_the_opener_is_seen() -> None:
    async with pair() as ends:
        mine, theirs = await ends.stream()
        await send_answer(theirs, ("::1", 5))
        assert await receive_answer(mine) == "[::1]:5"
        await mine.aclose()
        await theirs.aclose()


@pytest.mark.parametrize("sent", [b"", b"\x00", b"\x09127", b"\x03a:b", b"\x02\xff\xff", b"\x04host"])
def test_an_answer_that_is_no_address_is_refused(sent: bytes) -> None:
    @virtual
    async def main() -> None:
        async with pair() as ends:
            mine, theirs = await ends.stream()
            await theirs.send(sent)
            await theirs.send_eof()
            with pytest.raises(FrameError):
                await receive_answer(mine)
            await mine.aclose()
            await theirs.aclose()

    main()


def test_a_cancelled_opener_waits_no_more() -> None:
    @virtual
    async def main() -> None:
        async with pair() as ends:
            mine, theirs = await ends.stream()
            waiting: asyncio.Task[Any] = asyncio.create_task(receive_answer(mine))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await mine.aclose()
            await theirs.aclose()

    main()

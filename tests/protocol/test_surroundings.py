"""What a connection is given at birth."""

from __future__ import annotations

from protocol.pairs import make_pair


def test_both_ends_get_the_ids_of_the_other_and_the_first_one() -> None:
    pair = make_pair().open()
    client, server = pair.connection.ids, pair.accepted.ids
    assert client.first == client.remote == server.first
    assert server.remote == client.local
    assert len({client.local, server.local, client.first}) == 3
    assert pair.connection.local_ids[0] == client.local
    assert pair.accepted.local_ids[0] == server.local

"""A connection's ids and paths: what NEW_ID, RETIRE_ID and the frames of paths lead to (RFC 9000 §9).

Owns: which id goes with which path, and what a move means to the rest of the connection. May not know:
sockets, channels, how the handshake went.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fastmux import constants as c
from fastmux import core
from fastmux.exceptions import ProtocolError
from fastmux.protocol.data_space import DataSpace
from fastmux.protocol.events import Address, Event, PathFailed, PathLeft, PathMoved, Transmit
from fastmux.protocol.glitches import GlitchLimit
from fastmux.protocol.handshake_packets import Frame
from fastmux.protocol.local_ids import IdTable, LocalIds
from fastmux.protocol.path import Path
from fastmux.protocol.paths import Paths
from fastmux.protocol.remote_ids import RemoteId, RemoteIds

PROBE_SIZE: Final = c.MIN_INITIAL_DATAGRAM_SIZE  # RFC 9000 §8.2.1: so that the path is known to carry it
_CHALLENGE_SIZE: Final = 8
_OVERHEAD: Final = 1 + c.PACKET_NUMBER_SIZE + c.TAG_SIZE
_PING: Final = bytes((c.FRAME_PING,))


class Mobility:
    """`path` is the one in use. Times are seconds; `events` is where what the user should know is put.

    Invariant: `_paths` is there from the moment a second path is, `_remote` from the moment one is tried or
    the peer gives an id; until then there is one id, `_first_remote`. A path's `remote` is then an id in use,
    or None as long as nothing was sent there.
    """

    __slots__ = (
        "_data",
        "_events",
        "_first_remote",
        "_frames",
        "_fresh",
        "_is_client",
        "_local",
        "_paths",
        "_random_bytes",
        "_remote",
        "_table",
        "migrations",
        "path",
        "paths_validated",
        "reset_tokens",
    )

    def __init__(
        self,
        is_client: bool,
        path: Path,
        remote_id: bytes,
        data: DataSpace,
        table: IdTable,
        random_bytes: Callable[[int], bytes],
        events: list[Event],
    ) -> None:
        self.path = path
        self.migrations = 0
        self.paths_validated = 0
        self._is_client = is_client
        self._data = data
        self._events = events
        self._random_bytes = random_bytes
        self._local = LocalIds(path.local_id, table)
        self._table = table
        self.reset_tokens: tuple[bytes, ...] = ()  # which the table watches for this connection
        self._first_remote = remote_id
        self._remote: RemoteIds | None = None
        self._paths: Paths | None = None
        self._frames: GlitchLimit | None = None
        self._fresh = b""  # NEW_ID frames that go with the challenges too, so that the answers can use them

    @property
    def local_ids(self) -> tuple[bytes, ...]:
        """The ids by which this end is addressed."""
        return self._local.ids

    def start(self, active_id_limit: int) -> None:
        """The handshake is confirmed, and the peer holds so many ids.

        A server gives its spare ids at once, for its peer may move. A client gives its own when it does: that
        is early enough for the answers, and until then they would cost the server memory.
        """
        self._local.allow(active_id_limit)
        if not self._is_client:
            self._keep(self._local.complete_first())
            self._keep(self._local.supply())

    # --- frames -------------------------------------------------------------------------------------

    def take(self, frames: tuple[Frame, ...], path: Path, now: float) -> None:
        """Act on frames that came on `path`. Raises `ProtocolError`."""
        for frame in frames:
            match frame:
                case (c.FRAME_NEW_ID, int() as number, int() as before, bytes() as name, bytes() as token):
                    self._on_new_id(RemoteId(number, name, token), before, now)
                case (c.FRAME_RETIRE_ID, int() as number):
                    self._charge(now)
                    self._keep(self._local.retire(number))
                case (c.FRAME_PATH_CHALLENGE, bytes() as data):
                    self._charge(now)
                    self._on_challenge(data, path, now)
                case (c.FRAME_PATH_RESPONSE, bytes() as data):
                    self._charge(now)
                    self._on_response(data, path, now)
            if self._data.control.kept_count > c.MAX_KEPT_CONTROL:
                raise ProtocolError(c.ID_LIMIT_ERROR, "too many ids come and go unacknowledged")

    def _on_new_id(self, given: RemoteId, retire_before: int, now: float) -> None:
        remote = self._made_remote()
        is_first_time = not remote.knows(given.number)
        if not is_first_time or given.number >= c.ACTIVE_ID_LIMIT:
            self._charge(now)  # the first few are what everybody sends
        retired = remote.add(given, retire_before)
        for path in self._all:
            if path.remote is not None and path.remote.number == given.number:
                path.remote = given  # the token of number 0 has come
            if path.remote is None or path.remote.number in retired:
                self._address_anew(path)
        self._tell_retired(retired)
        self._watch_tokens()

    def _watch_tokens(self) -> None:
        """The ids in use have changed: only their tokens may end the connection."""
        tokens = () if self._remote is None else self._remote.tokens
        for token in self.reset_tokens:
            if token not in tokens:
                self._table.forget_token(token)
        for token in tokens:
            if token not in self.reset_tokens:
                self._table.watch_token(token, self._local.ids[0])
        self.reset_tokens = tokens

    def _address_anew(self, path: Path) -> None:
        """The id of a path is retired, or it waits for one: take another."""
        path.remote = None
        if path is self.path:
            remote = self._made_remote()
            path.remote = remote.take() or (remote.used[-1] if remote.used else None)
            if path.remote is None:
                raise ProtocolError(c.PROTOCOL_VIOLATION, "every id retired")
            self._data.data_path.set_remote_id(path.remote.name)
        elif self._paths is not None and path.validation is not None:
            self._paths.is_due = True

    def _remote_for(self, path: Path) -> RemoteId | None:
        """The peer's id for a path: one that was not used on another (§9.5).

        A server that was given none uses the same one again, for its peer has chosen to move; a client waits.
        """
        if path.remote is None:
            path.remote = self._made_remote().take() or (None if self._is_client else self.path.remote)
            self._watch_tokens()
        return path.remote

    def _on_challenge(self, data: bytes, path: Path, now: float) -> None:
        """A client answers on the path in use with more than a probe: it undoes what a copy did (§9.3.3)."""
        response = core.encode_frame((c.FRAME_PATH_RESPONSE, data))
        is_used = self._is_client and path is self.path
        self._made_paths(now).on_challenge(path, response + _PING if is_used else response)

    def _on_response(self, data: bytes, path: Path, now: float) -> None:
        paths = self._paths
        proved = paths.on_response(data) if paths is not None else None
        if paths is None or proved is None:
            return
        self.paths_validated += 1
        if proved.wants_use:
            self._fresh = b""
            self._use(proved, now)
        elif proved is paths.fallback and path is proved:
            self._use(proved, now)  # the peer is still there: the packet that moved us may have been a copy
            paths.distrust(now)
        elif proved is self.path:
            paths.fallback = None
        self._let_others_leave(paths, now)

    def _let_others_leave(self, paths: Paths, now: float) -> None:
        """Once the path in use is proved the others are kept only for what is still on its way."""
        for path in paths.others if self.path.is_validated else ():
            if path.validation is None and path.leaves_at is None:
                pto = path.state.pto if path.state is not None else self._data.traffic.pto()
                path.leaves_at = now + c.PATH_LINGER_PTOS * pto

    def _charge(self, now: float) -> None:
        if self._frames is None:
            self._frames = GlitchLimit(c.ID_FRAME_BURST, c.ID_FRAME_RATE)
        if self._frames.add(1, now):
            raise ProtocolError(c.GLITCH_LIMIT, "too many frames about ids and paths")

    def _keep(self, frames: list[bytes]) -> None:
        """Send frames until they are acknowledged."""
        for frame in frames:
            self._data.control.keep(frame)

    def _tell_retired(self, numbers: list[int]) -> None:
        self._keep([core.encode_frame((c.FRAME_RETIRE_ID, number)) for number in numbers])

    # --- paths --------------------------------------------------------------------------------------

    @property
    def _all(self) -> tuple[Path, ...]:
        return (self.path,) if self._paths is None else tuple(self._paths)

    def _made_paths(self, now: float) -> Paths:
        if self._paths is None:
            self._made_remote()
            self._paths = Paths(self.path, now)
        return self._paths

    def _made_remote(self) -> RemoteIds:
        if self._remote is None:
            self._remote = RemoteIds(self._first_remote)
            self.path.remote = self._remote.used[0]
        return self._remote

    def find(self, address: Address, via: int) -> Path | None:
        """The path that leads there, if there is one."""
        return self.path if self._paths is None else self._paths.find(address, via)

    def arrive(self, address: Address, via: int, local_id: bytes, size: int, now: float) -> Path | None:
        """A train with something authentic and new came, but not by the path in use.

        Gives its path, None for a local one that is gone, and if there were too many new ones lately. A new
        path is challenged at once, together with the answer to what came on it.
        """
        paths = self._made_paths(now)
        path = paths.find(address, via)
        if path is None and not self._is_client and paths.may_add(now):
            path = Path(address, is_validated=False, local_id=local_id)
            if local_id == self.path.local_id:  # a rebinding, of which the peer need not know (§9.5)
                path.remote = self.path.remote
            self._drop_ids(paths.add(path))
            paths.begin_validation(path, self._data.traffic.pto(), now)
        if path is not None:
            self.on_received(path, size)
        return path

    def follow(self, path: Path, now: float) -> None:
        """The newest packet of the peer that does more than to probe came on this path: a server moves."""
        paths = self._paths
        if self._is_client or paths is None or not paths.may_follow(path, now):
            return
        old = self.path
        self._use(path, now)
        if not path.is_validated:
            paths.begin_validation(path, self._data.traffic.pto(), now)
            if old.is_validated:
                paths.begin_validation(old, self._data.traffic.pto(), now)
        self._let_others_leave(paths, now)

    def try_path(self, via: int, now: float) -> None:
        """A client wants to reach its peer by another local path: to be used as soon as it is validated.

        A `PathMoved` or `PathFailed` follows. Raises `ValueError` if that local path is known already.
        """
        paths = self._made_paths(now)
        if paths.find(self.path.address, via) is not None:
            raise ValueError(f"local path {via} is in use")
        path = Path(self.path.address, is_validated=True, via=via)  # the address is known to be the peer's
        path.wants_use = True
        if not self._made_remote().has_spare:  # those of paths that were left are given back, and replaced
            left = [other for other in paths.others if other.leaves_at is not None]
            for other in left:
                paths.drop(other)
            self._drop_ids(left)
        new_ids = self._local.supply()
        self._keep(new_ids)
        self._fresh += b"".join(new_ids)
        self._drop_ids(paths.add(path))
        paths.begin_validation(path, self._data.traffic.pto(), now)

    def give_up(self, via: int) -> None:
        """Forget a local path that is not in use."""
        path = self.find(self.path.address, via)
        if path is not None and path is not self.path and self._paths is not None:
            self._paths.drop(path)
            self._drop_ids([path])

    def _use(self, path: Path, now: float) -> None:
        paths = self._made_paths(now)
        old = paths.use(path)
        self.path = path
        self.migrations += 1
        remote = self._remote_for(path)
        if remote is not None:
            self._data.data_path.set_remote_id(remote.name)
        if old.via != path.via or old.address[0] != path.address[0]:  # RFC 9000 §9.4
            old.state = self._data.change_path(path.state)
            path.state = None
        else:
            self._data.traffic.probe()  # what went to the old port may be lost
        self._events.append(PathMoved(path.address, old.address, path.via, path.is_validated))

    def _fail(self, path: Path, paths: Paths, now: float) -> None:
        """Nobody answered on this path."""
        if path is self.path and paths.fallback is not None:
            self._use(paths.fallback, now)
            paths.distrust(now)
        if path is self.path or path is paths.fallback:
            return
        reason = "the peer has given no unused id" if path.remote is None else "no answer"
        self._events.append(PathFailed(path.address, path.via, reason))
        paths.drop(path)
        self._drop_ids([path])

    def _drop_ids(self, gone: list[Path]) -> None:
        """Retire the ids of paths that are no more (§9.5), and say that their local paths are free."""
        for path in gone:
            if path.remote is not None and all(path.remote != other.remote for other in self._all):
                self._made_remote().retire(path.remote.number)
                self._tell_retired([path.remote.number])
                self._watch_tokens()
            if path.via != self.path.via:
                self._events.append(PathLeft(path.via))

    # --- sending ------------------------------------------------------------------------------------

    @property
    def is_due(self) -> bool:
        """True if `fill` may give something."""
        return self._paths is not None and self._paths.is_due

    def on_received(self, path: Path, size: int) -> None:
        """So many bytes came on a path that is not validated: so much more may go."""
        path.on_received(size)
        if self._paths is not None and path.validation is not None and path.validation.is_due:
            self._paths.is_due = True

    def fill(self, buffer: bytearray | memoryview, now: float) -> Transmit | None:
        """Build a packet that only one path may carry; None if there is none that may go now."""
        paths = self._paths
        if paths is None:
            return None
        for path in paths:
            is_due = path.validation is not None and path.validation.is_due
            remote = self._remote_for(path) if is_due or paths.has_responses(path) else None
            if remote is not None:
                size = self._fill_for(path, remote, paths, buffer, now)
                if size:
                    path.on_sent(size)
                    return Transmit(size, size, path.address, True, path.via)
        paths.is_due = False
        return None

    def _fill_for(
        self, path: Path, remote: RemoteId, paths: Paths, buffer: bytearray | memoryview, now: float
    ) -> int:
        payload = paths.take_responses(path)
        validation = path.validation
        data = b""
        if validation is not None and validation.is_due:
            data = self._random_bytes(_CHALLENGE_SIZE)
            payload += self._fresh + core.encode_frame((c.FRAME_PATH_CHALLENGE, data))
        limit = path.send_limit
        size = PROBE_SIZE if limit is None else min(limit, PROBE_SIZE)
        if size < _OVERHEAD + len(remote.name) + len(payload):
            return 0  # a response is lost by it, and asked for again
        if validation is not None and data:
            validation.on_sent(data, now)
        used = self.path.remote
        self._data.data_path.set_remote_id(remote.name)
        try:
            return self._data.traffic.build(buffer, payload, size, 0, now)
        finally:
            if used is not None:
                self._data.data_path.set_remote_id(used.name)

    # --- time ---------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """When to call `handle_timeout`; None for never."""
        return None if self._paths is None else self._paths.deadline()

    def handle_timeout(self, now: float) -> None:
        """Challenge again, give up paths that do not answer, forget those that were left."""
        paths = self._paths
        if paths is None:
            return
        failed, left = paths.handle_timeout(now)
        for path in left:
            paths.drop(path)
            self._drop_ids([path])
        for path in failed:
            self._fail(path, paths, now)
        self._let_others_leave(paths, now)

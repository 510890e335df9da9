"""The paths of a connection: which one is used, which are tried, and where it can fall back to (RFC 9000 §9).

Owns: moves, validations, and the frames that only one path may carry. May not know: frames' encoding, where
ids come from (they are handed in), sockets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fastmux import constants as c
from fastmux.protocol.events import Address
from fastmux.protocol.path import Path
from fastmux.protocol.rates import TokenBucket
from fastmux.protocol.validation import Validation


class PathLimit:
    """A token bucket for new paths and for moves to unproven ones: PATH_BURST at once, PATH_RATE a second."""

    __slots__ = ("_bucket",)

    def __init__(self, now: float) -> None:
        self._bucket = TokenBucket(c.PATH_BURST, c.PATH_RATE, now)

    def take(self, now: float) -> bool:
        """True if one more is allowed."""
        return self._bucket.take(now)


_RESPONSES_PER_PATH: Final = c.MAX_PATH_CHALLENGES


class Paths:
    """The path in use and up to MAX_PATHS - 1 others.

    A server follows its peer: it moves as soon as a packet from elsewhere is the newest, within the
    anti-amplification limit, validates the new path, and the old one too, for somebody else may have copied
    that packet (§9.3.3). It returns to the old one when that answers first, or the new one does not answer;
    for PATH_DISTRUST it then uses no path that is not validated: who copies every packet, and is always the
    first, gains one move by it. A client tries a path before it uses it.

    Invariant: `current` is not in `others`; `fallback`, if there is one, is, was validated, and stays until
    `current` is validated. `is_due` is True while a challenge or a response may go.
    """

    __slots__ = ("_distrust_until", "_limit", "_responses", "current", "fallback", "is_due", "others")

    def __init__(self, current: Path, now: float) -> None:
        self.current = current
        self.others: list[Path] = []
        self.fallback: Path | None = None
        self.is_due = False
        self._responses: list[tuple[Path, bytes]] = []
        self._limit = PathLimit(now)
        self._distrust_until = now

    def __iter__(self) -> Iterator[Path]:
        yield self.current
        yield from self.others

    # --- which paths there are ----------------------------------------------------------------------

    def find(self, address: Address, via: int) -> Path | None:
        """The path that leads there."""
        for path in self:
            if path.via == via and path.address == address:
                return path
        return None

    def add(self, path: Path) -> list[Path]:
        """Take in a path. Gives the ones that must make room: the oldest that nothing depends on."""
        crowd = [other for other in self.others if other is not self.fallback]
        leaving = crowd[: max(len(self.others) + 2 - c.MAX_PATHS, 0)]
        for other in leaving:
            self.drop(other)
        self.others.append(path)
        return leaving

    def may_add(self, now: float) -> bool:
        """True if a packet from somewhere new may make a path."""
        return self._limit.take(now)

    def drop(self, path: Path) -> None:
        """Forget a path that is not in use."""
        self.others.remove(path)
        self._responses = [waiting for waiting in self._responses if waiting[0] is not path]
        if path is self.fallback:
            self.fallback = None

    # --- which one is used --------------------------------------------------------------------------

    def may_follow(self, path: Path, now: float) -> bool:
        """True if the peer's newest packet, which came on `path`, moves this end there."""
        if path is self.current or path.is_validated:
            return path is not self.current
        return now >= self._distrust_until and self._limit.take(now)

    def distrust(self, now: float) -> None:
        """A move was in vain: for some time paths are validated before they are used."""
        self._distrust_until = now + c.PATH_DISTRUST

    def use(self, path: Path) -> Path:
        """Make `path`, which is known, the one in use; gives the one that was."""
        old = self.current
        self.others.remove(path)
        self.others.append(old)
        self.current = path
        path.leaves_at = None
        path.wants_use = False
        if path is self.fallback:
            self.fallback = None
        if old.is_validated and not path.is_validated:
            self.fallback = old
        return old

    # --- validation ---------------------------------------------------------------------------------

    def begin_validation(self, path: Path, pto: float, now: float) -> None:
        """Challenge a path, unless that is going on."""
        if path.validation is None:
            path.validation = Validation(pto, now)
        self.is_due = True

    def on_challenge(self, path: Path, frames: bytes) -> None:
        """A challenge came on this path: `frames` are to go back on it. The newest few of a path are kept."""
        if all(path is not known for known in self):
            return
        mine = [waiting for waiting in self._responses if waiting[0] is path]
        if len(mine) >= _RESPONSES_PER_PATH:
            self._responses.remove(mine[0])
        self._responses.append((path, frames))
        self.is_due = True

    def take_responses(self, path: Path) -> bytes:
        """The frames that wait for this path, which go now."""
        mine = b"".join(frames for waiting, frames in self._responses if waiting is path)
        if mine:
            self._responses = [waiting for waiting in self._responses if waiting[0] is not path]
        return mine

    def has_responses(self, path: Path) -> bool:
        """True if frames wait for this path."""
        return any(waiting is path for waiting, _ in self._responses)

    def on_response(self, data: bytes) -> Path | None:
        """A response came: gives the path that it proves, None if it answers nothing."""
        for path in self:
            if path.validation is not None and path.validation.is_answer(data):
                path.validation = None
                path.validate()
                return path
        return None

    # --- time ---------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """When something is due here; None for never."""
        times = [path.leaves_at for path in self.others if path.leaves_at is not None]
        times += [path.validation.deadline() for path in self if path.validation is not None]
        return min(times, default=None)

    def handle_timeout(self, now: float) -> tuple[list[Path], list[Path]]:
        """Let challenges go again. Gives the paths that did not answer, and those whose time is over."""
        failed: list[Path] = []
        for path in self:
            if path.validation is None:
                continue
            if now >= path.validation.expires_at:
                path.validation = None
                failed.append(path)
            else:
                path.validation.handle_timeout(now)
                self.is_due = self.is_due or path.validation.is_due
        left = [path for path in self.others if path.leaves_at is not None and now >= path.leaves_at]
        return failed, [path for path in left if path not in failed]

"""What `connect` and `listen` return: to await, or to enter.

Owns: that both ways open once and the second closes. May not know: what is opened, which loop runs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar

R = TypeVar("R", bound=AbstractAsyncContextManager[Any])


class Opening(ABC, Generic[R]):
    """Await it, or use it in `async with`. Use it once. Invariant: `_opened` is what was entered."""

    _opened: R | None = None

    @abstractmethod
    async def _open(self) -> R: ...

    def __await__(self) -> Generator[Any, None, R]:
        return self._open().__await__()

    async def __aenter__(self) -> R:
        self._opened = await self._open()
        return self._opened

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close as the block of a connection, or of a server, does."""
        if self._opened is not None:
            await self._opened.__aexit__(exc_type, exc, traceback)

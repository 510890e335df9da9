"""The comparison: the same file over asyncio TCP and mutual TLS 1.3."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fastmux.security.certificates import make_credentials
from fastmux.security.config import PLAINTEXT, TLSConfig
from fastmux.tunnel.demo import baseline
from fastmux.tunnel.demo.workload import make_file


def test_a_file_goes_over_tls_and_its_hash_comes_back(tmp_path: Path) -> None:
    make_credentials(tmp_path / "credentials", days=1)
    digest = make_file(tmp_path / "file", 700_000, seed=1)

    async def run() -> tuple[float, str]:
        async with await baseline.listen(tmp_path / "credentials") as server:
            port = server.sockets[0].getsockname()[1]
            return await baseline.send_file(tmp_path / "file", port, tmp_path / "credentials")

    seconds, received = asyncio.run(run())
    assert received == digest
    assert seconds > 0


def test_each_role_takes_its_own_certificate_and_plaintext_takes_none(tmp_path: Path) -> None:
    make_credentials(tmp_path / "credentials", days=1)
    config = baseline.tls_config(tmp_path / "credentials", "client", False)
    assert isinstance(config, TLSConfig)
    assert str(config.certfile).endswith("client.pem")
    assert baseline.tls_config(tmp_path, "server", True) is PLAINTEXT

"""Which cipher suite is preferred on which machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastmux.security.suites import SUITES, has_fast_aes, preferred_suites


@pytest.mark.parametrize(
    ("text", "machine", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu aes avx2\n", "x86_64", True),
        ("processor\t: 0\nflags\t\t: fpu vaes avx2\n", "x86_64", False),
        ("processor\t: 0\nFeatures\t: fp asimd aes pmull\n", "aarch64", True),
        ("processor\t: 0\nFeatures\t: fp asimd crc32\n", "aarch64", False),
        ("", "AMD64", True),
        ("", "arm64", True),
        ("", "armv7l", False),
        ("hart\t: 0\nisa\t: rv64imafdc\n", "riscv64", False),
    ],
)
def test_the_processor_is_asked_first_and_the_machine_named_after(
    tmp_path: Path, text: str, machine: str, expected: bool
) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert has_fast_aes(tmp_path / "cpuinfo", machine) is expected


def test_without_a_processor_file_the_machine_decides(tmp_path: Path) -> None:
    assert has_fast_aes(tmp_path / "none", "arm64")
    assert not has_fast_aes(tmp_path / "none", "armv6l")


def test_every_suite_is_offered_and_one_of_the_two_quick_ones_first() -> None:
    suites = preferred_suites()
    assert sorted(suites) == sorted(SUITES)
    assert suites[0] in ("TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256")

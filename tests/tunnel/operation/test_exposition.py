"""The text format of Prometheus, and adding up processes."""

from __future__ import annotations

import json

from fastmux.tunnel.operation.exposition import Family, merged, render


def test_a_family_has_help_type_and_a_line_a_sample() -> None:
    family = Family("fastmux_bytes_total", "counter", "Bytes.")
    family.add(10, identity="a", direction="sent")
    family.add(2.5, identity="b", direction="sent")
    family.add(1, identity="a", direction="sent")
    assert render([family]) == (
        "# HELP fastmux_bytes_total Bytes.\n"
        "# TYPE fastmux_bytes_total counter\n"
        'fastmux_bytes_total{identity="a",direction="sent"} 11\n'
        'fastmux_bytes_total{identity="b",direction="sent"} 2.5\n'
    )


def test_a_label_of_a_peer_cannot_break_out() -> None:
    family = Family("x", "gauge", "a\nb\\")
    family.add(1, identity='a"} 1\nforged{b="\\')
    text = render([family])
    assert r'x{identity="a\"} 1\nforged{b=\"\\"} 1' in text
    assert text.count("\n") == 3


def test_a_sample_without_labels_has_no_braces() -> None:
    family = Family("x", "gauge", "X.")
    family.add(3)
    assert "\nx 3\n" in render([family])


def test_processes_are_added_up_or_the_largest_counts() -> None:
    def families(count: float, rtt: float) -> list[Family]:
        sums = Family("n", "counter", "N.")
        sums.add(count, identity="a")
        largest = Family("rtt", "gauge", "R.", "max")
        largest.add(rtt, identity="a")
        return [sums, largest]

    text = render(merged([families(1, 0.5), families(2, 0.25)]))
    assert 'n{identity="a"} 3\n' in text
    assert 'rtt{identity="a"} 0.5\n' in text


def test_a_family_survives_the_way_to_another_process() -> None:
    family = Family("rtt", "gauge", "R.", "max")
    family.add(0.5, identity="a")
    family.add(0.25)
    again = Family.from_plain(json.loads(json.dumps(family.to_plain())))
    assert again == family

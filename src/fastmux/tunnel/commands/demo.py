"""`fastmux demo`: the main job, with nothing to prepare.

Owns: its options and help. May not know: how the demo works; that is imported when it runs.
"""

from __future__ import annotations

import sys

import click


@click.command("demo")
@click.option(
    "--core",
    type=click.Choice(["auto", "cython", "python"]),
    default="auto",
    show_default=True,
    help="Which core both processes run; auto takes the compiled one if it is there.",
)
@click.option(
    "--size",
    type=click.IntRange(1, 4096),
    default=None,
    help="Size of the file in MiB.  [default: 64; 16 on the pure core]",
)
@click.option(
    "--loss",
    type=click.FloatRange(0, 40),
    default=2.0,
    show_default=True,
    help="Percentage of datagrams that the relay of the hostile leg drops.",
)
@click.option("--plaintext", is_flag=True, help="No encryption and no identity, to see their price.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seeds the data and the relay.")
def command(core: str, size: int | None, loss: float, plaintext: bool, seed: int) -> None:
    """The main job: every kind of channel at once, on a clean link and on a hostile one.

    Makes throwaway certificates, starts a listener and a client in two processes on loopback, and carries
    over one connection: a ping channel, a file (stream), 500 messages of 1 byte to 1 MiB (message channel),
    an HTTP fetch from a real server behind the far end (stream), and a channel whose reader sleeps. Checks
    every SHA-256 and that the sleeping channel held nothing up; the exit status is 0 only then.

    \b
    Examples:
      fastmux demo                        both legs, about 15 seconds on the compiled core
      fastmux demo --core python          the same on the pure-Python core, with a smaller file
      fastmux demo --loss 10 --size 16    a worse link, a smaller file
      fastmux demo --plaintext            without TLS
    """
    from fastmux.tunnel.command_line.failures import reported
    from fastmux.tunnel.command_line.signals import run_until_signal
    from fastmux.tunnel.demo.run import DemoOptions, run_demo

    options = DemoOptions(core=core, size=size, loss=loss / 100, plaintext=plaintext, seed=seed)
    with reported():
        sys.exit(run_until_signal(run_demo(options)))

"""`fastmux init`: a CA, a server's and a client's certificate, and what to do with them.

Owns: its options, and the first commands that a user is shown. May not know: how certificates are made.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import click

_NEXT = """
Next, each in a terminal of its own:
  fastmux serve -l 127.0.0.1:4433 --allow 'client=127.0.0.1:22' \\
      --cert {server} --key {server_key} --ca {ca}
  fastmux tunnel 127.0.0.1:4433 -L 2022:127.0.0.1:22 \\
      --cert {client} --key {client_key} --ca {ca}
  ssh -p 2022 127.0.0.1

A client elsewhere gets client.pem, client.key and ca.pem; ca.key stays here.
  fastmux cert issue NAME --client --dir {directory}      makes one for the next client
  fastmux cert issue NAME --server --name HOST --dir {directory}      and one for another name of the server
"""


@click.command("init")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the files are made; a new directory is private.  [default: ~/.config/fastmux]",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="HOST|IP",
    help="A name or address of the server, as its clients will write it; may be repeated.  "
    "[default: localhost, 127.0.0.1, ::1 and this host's name]",
)
@click.option(
    "--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="How long they last."
)
def command(directory: Path | None, names: tuple[str, ...], days: int) -> None:
    """Make a CA, a server's and a client's certificate.

    Writes ca.pem, ca.key, server.pem, server.key, client.pem and client.key, all of them private, and never
    over a file that is there. The two ends know each other by these: there is nothing else to trust.

    \b
    Examples:
      fastmux init                                   for a trial on this machine
      fastmux init --name gw.example --name 192.0.2.7    for a server with that name and address
      fastmux init --dir ./keys                      somewhere else
    """
    from fastmux.security.certificates import make_credentials
    from fastmux.tunnel.certs import check_names, default_server_names, facts_of, read_certificates
    from fastmux.tunnel.command_line.failures import configuration_failures
    from fastmux.tunnel.settings.credentials import default_directory

    try:
        check_names("server", names, "server")
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    with configuration_failures():
        place = directory or default_directory()
        files = make_credentials(place, names or default_server_names(), days=days)
        click.echo(f"Made in {place}, readable by you only:")
        for path, what in (
            (files.ca, "the CA; ca.key signs, so keep it off servers and clients"),
            (files.server, "the server"),
            (files.client, "a client, known as 'client' in rules"),
        ):
            facts = facts_of(read_certificates(path)[0])
            click.echo(f"  {path.name}, {path.stem}.key".ljust(28) + what)
            if facts.names:
                click.echo(f"      names  {', '.join(facts.names)}")
            click.echo(f"      pin    {facts.pin}")
            click.echo(f"      until  {facts.ends:%Y-%m-%d}")
    places = {name: shlex.quote(str(getattr(files, name))) for name in files.__dataclass_fields__}
    click.echo(_NEXT.format(**places, directory=shlex.quote(str(place))).rstrip())

"""`fastmux cert`: issue, show, pin and renew certificates.

Owns: its options, and how a certificate is shown. May not know: how certificates are made.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fastmux.tunnel.command_line.failures import configuration_failures

if TYPE_CHECKING:
    from fastmux.tunnel.certs import Facts

_FILE = click.Path(path_type=Path, dir_okay=False)
_DIRECTORY = click.Path(path_type=Path, file_okay=False)
_DAYS = click.IntRange(1, 3650)


@click.group("cert")
def command() -> None:
    """Issue, show, pin and renew certificates.

    \b
    Examples:
      fastmux cert issue laptop                        a client, known as 'laptop' in rules
      fastmux cert issue gw --server --name gw.example     a server with that name
      fastmux cert show server.pem                     names, role, until when, pin, key
      fastmux cert pin server.pem                      for --pin, or as an identity in a rule
      fastmux cert renew server.pem                    the same for another year, same key and pin
    """


@command.command("issue")
@click.argument("name")
@click.option("--client", "is_client", is_flag=True, help="For a client (default).")
@click.option("--server", "is_server", is_flag=True, help="For a server; with --client too, for both.")
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="HOST|IP|URI",
    help="A name of the server, or another identity of the client (spiffe://…); may be repeated.  "
    "[default: NAME for a server, none for a client]",
)
@click.option("--dir", "directory", type=_DIRECTORY, help="Where the CA is.  [default: ~/.config/fastmux]")
@click.option("--days", type=_DAYS, default=365, show_default=True, help="How long it lasts.")
def issue(
    name: str,
    is_client: bool,
    is_server: bool,
    names: tuple[str, ...],
    directory: Path | None,
    days: int,
) -> None:
    """Issue NAME.pem and NAME.key, signed by the CA of `fastmux init`.

    NAME is 1 to 64 letters, digits, '.', '_' and '-'; it is what rules and logs call a client.

    \b
    Examples:
      fastmux cert issue laptop
      fastmux cert issue build-7 --name spiffe://corp.example/build/7
      fastmux cert issue gw.example --server
      fastmux cert issue gw --server --name gw.example --name 192.0.2.7 --days 90
      fastmux cert issue node-1 --server --client      listens, and connects to others
    """
    from fastmux.tunnel import certs

    role: certs.Role = ("both" if is_client else "server") if is_server else "client"

    try:
        certs.check_names(name, names, role)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    with configuration_failures():
        place = directory or _default_directory()
        issued = certs.issue(place, name, role=role, names=names, days=days)
    click.echo(f"{issued.certificate}\n{issued.key}  (mode 0600)")
    _show(issued.facts)


@command.command("show")
@click.argument("file", type=_FILE)
def show(file: Path) -> None:
    """Show what the certificates in FILE say, and whether the key beside it is theirs.

    \b
    Example:
      fastmux cert show ~/.config/fastmux/server.pem
    """
    from fastmux.tunnel import certs

    with configuration_failures():
        certificates = certs.read_certificates(file)
        every = [certs.facts_of(certificate) for certificate in certificates]
        key = certs.key_state(certificates[0], certs.key_path_of(file))
    click.echo(file)
    _show(every[0])
    click.echo(f"  key      {key}")
    for facts in every[1:]:
        click.echo("then in the same file:")
        _show(facts)


@command.command("pin")
@click.argument("file", type=_FILE)
def pin(file: Path) -> None:
    """Print the pin of the (first) certificate in FILE: sha256// and the hash of its public key.

    It says which key, whoever signed it. It stays as long as the key does.

    \b
    Examples:
      fastmux tunnel gw.example --pin "$(fastmux cert pin server.pem)" …
      fastmux serve --allow "$(fastmux cert pin laptop.pem)=10.0.0.0/8:22" …
    """
    from fastmux.tunnel import certs

    with configuration_failures():
        click.echo(certs.facts_of(certs.read_certificates(file)[0]).pin)


@command.command("renew")
@click.argument("file", type=_FILE)
@click.option("--new-key", is_flag=True, help="With a new key: its pin changes.")
@click.option(
    "--dir", "directory", type=_DIRECTORY, help="Where the CA is.  [default: the directory of FILE]"
)
@click.option("--days", type=_DAYS, help="How long it lasts from now.  [default: 365; 3650 for a CA]")
def renew(file: Path, new_key: bool, directory: Path | None, days: int | None) -> None:
    """Issue the certificate in FILE again: same subject, names and role.

    The key stays the same, so that pins and rules with pins still hold, unless --new-key asks for another.
    FILE is replaced at once, and what it was is kept as FILE.old. A running server or client takes the new
    one by itself, from the next connection on. ca.pem is renewed the same way, always with its key; give it
    to the other ends before the old one ends.

    \b
    Examples:
      fastmux cert renew ~/.config/fastmux/server.pem
      fastmux cert renew laptop.pem --dir ~/.config/fastmux --new-key
    """
    from fastmux.tunnel import certs

    with configuration_failures():
        renewed = certs.renew(file, directory=directory, new_key=new_key, days=days)
    click.echo(renewed.certificate)
    _show(renewed.facts)
    for kept in renewed.kept:
        click.echo(f"The old one is kept as {kept}")
    if renewed.facts.pin != renewed.old_facts.pin:
        click.echo(
            f"The pin changed from {renewed.old_facts.pin}: rules and --pin options that name it must too"
        )


def _default_directory() -> Path:
    from fastmux.tunnel.settings.credentials import default_directory

    return default_directory()


def _show(facts: Facts) -> None:
    left = facts.ends - datetime.datetime.now(datetime.UTC)
    state = (
        f"{round(left / datetime.timedelta(days=1))} days left"
        if left > datetime.timedelta()
        else "it has ended"
    )
    if facts.begins > datetime.datetime.now(datetime.UTC):
        state = "it has not begun"
    rows = {
        "subject": facts.subject,
        "names": ", ".join(facts.names) or "none besides the subject",
        "role": ", ".join(facts.roles) or "none: fastmux refuses it (no extended key usage)",
        "valid": f"{facts.begins:%Y-%m-%d %H:%M} to {facts.ends:%Y-%m-%d %H:%M} UTC ({state})",
        "pin": facts.pin,
        "issuer": facts.issuer,
        "serial": facts.serial,
    }
    for name, value in rows.items():
        click.echo(f"  {name:<8} {value}")

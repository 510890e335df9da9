"""Whether a certificate is of use to the end that has it: for its role, and still.

Owns: the words for what is not, the same before a start (`check-config`) and at it. May not know: who says
them.
"""

from __future__ import annotations

import datetime
from pathlib import Path

from fastmux.tunnel.certs import facts_of, read_certificates
from fastmux.tunnel.constants import CERTIFICATE_WARNING_DAYS


def role_fault(path: Path, role: str) -> str:
    """Why the certificate in a file cannot be a "server"'s or a "client"'s, "" if it can.

    Raises OSError and ValueError for what is no certificate.
    """
    has = facts_of(read_certificates(path)[0]).roles
    if role in has:
        return ""
    is_for = " and ".join(has) or "no role"
    return f"{path} may not act as a {role}: it is for {is_for}; the other end refuses it"


def end_warnings(path: Path, now: datetime.datetime) -> list[str]:
    """What is to be said of those certificates in a file that have ended or will soon.

    Raises OSError and ValueError for what is no certificate.
    """
    warnings = []
    for certificate in read_certificates(path):
        facts = facts_of(certificate)
        if facts.ends <= now:
            warnings.append(f"{path}: the certificate of {facts.subject} ended at {facts.ends:%Y-%m-%d}")
        elif facts.ends - now < datetime.timedelta(days=CERTIFICATE_WARNING_DAYS):
            warnings.append(
                f"{path}: the certificate of {facts.subject} ends in {(facts.ends - now).days} days; "
                f"fastmux cert renew {path}"
            )
    return warnings

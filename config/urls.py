"""Addresses of brokers and stores: which are good, how each library spells them, and how they look without secrets.

No message of this module repeats a part of an address that could hold a password.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

REDIS_SCHEMES = ("redis", "rediss", "unix", "redis+socket")
BROKER_SCHEMES = (*REDIS_SCHEMES, "amqp", "amqps")

_SOCKETS = ("unix", "redis+socket")
_SHOWN_OPTIONS = frozenset({"db", "virtual_host", "ssl_cert_reqs", "ssl_ca_certs"})
"""Options of an address that are no secret."""
STARS = "***"


def checked_url(url: str, schemes: Collection[str]) -> str:
    """The address, with its scheme in lower case, `redis+socket://` as `unix://` and the verification of certificates
    asked for where the address does not say; raises ValueError with what is wrong and how it should look."""
    parts = _split(url.strip())
    if parts.scheme not in schemes:
        raise ValueError(f"must begin with {', '.join(f'{scheme}://' for scheme in schemes)}")
    if parts.scheme in _SOCKETS:
        return _checked_socket(parts)
    if not _host_and_port_fit(parts):
        raise ValueError(
            f"needs a host and a port from 1 to 65535, as in {parts.scheme}://user:password@host:port; write special "
            "characters of the password as %XX"
        )
    if parts.scheme.startswith("redis"):
        _check_database(parts.path.strip("/") or "0")
    if parts.scheme == "rediss" and "ssl_cert_reqs" not in dict(parse_qsl(parts.query)):
        # Celery refuses such an address, and kombu would speak to it without TLS.
        parts = parts._replace(query=f"{parts.query}&ssl_cert_reqs=required".lstrip("&"))
    return parts.geturl()


def checked_web_url(url: str) -> str:
    """An http or https URL that can be asked; raises ValueError with what is wrong with its host or port. Empty where
    it may be left out."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        # As it is looked up: a label that is empty or too long cannot be.
        host.encode("idna")
    except ValueError:
        fits = False
    else:
        fits = bool(host) and port != 0
    if url and not fits:
        raise ValueError(
            "needs a host and, if any, a port from 1 to 65535, as in https://host:8443/path; an IPv6 address stands in "
            "brackets"
        )
    return url


def celery_url(url: str) -> str:
    """A checked address as kombu spells it: sockets are `redis+socket://` with the database as `virtual_host`."""
    return _socket_url(url, "virtual_host")


def backend_url(url: str) -> str:
    """A checked address as Celery's Redis result backend spells it."""
    return _socket_url(url, "db")


def masked(url: str) -> str:
    """The address without user, password and options that could be secret, for people to see."""
    try:
        parts = _split(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return STARS
    # Whatever stands before the last @ of an address that was written badly could be a part of the password.
    if not parts.scheme or "@" in f"{parts.path}{parts.query}{parts.fragment}":
        return STARS
    host = f"{parts.hostname or ''}{port}"
    options = [(name, value) for name, value in parse_qsl(parts.query) if name in _SHOWN_OPTIONS]
    login = f"{STARS}@" if "@" in parts.netloc else ""
    return f"{parts.scheme}://{login}{host}{parts.path}" + (f"?{urlencode(options, safe='/')}" if options else "")


def masked_text(text: str) -> str:
    """A text with every address in it masked, and what makes a link to a bundle good."""
    return _SIGNATURE.sub(rf"\1={STARS}", _ADDRESS.sub(lambda found: masked(found[0]), text))


_ADDRESS = re.compile(r"[a-z+]+://\S*@[\w.:/%+-]*", re.IGNORECASE)
"""An address with a login; one without has nothing to hide."""
_SIGNATURE = re.compile(r"(signature|x-amz-credential|x-amz-security-token)=[^\s&'\"]+", re.IGNORECASE)
"""The first is also the end of `X-Amz-Signature`, of links to S3."""


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError("is not an address; it looks like redis://host:6379/0") from None


def _host_and_port_fit(parts: SplitResult) -> bool:
    try:
        return bool(parts.hostname) and parts.port != 0 and "@" not in f"{parts.path}{parts.query}{parts.fragment}"
    except ValueError:
        return False


def _checked_socket(parts: SplitResult) -> str:
    options = dict(parse_qsl(parts.query))
    if not parts.path.startswith("/") or parts.hostname:
        raise ValueError("needs the socket's absolute path, as in unix:///run/redis/redis.sock?db=0")
    database = options.pop("virtual_host", options.pop("db", "0")).strip("/")
    _check_database(database)
    return f"unix://{_login(parts, options)}{parts.path}?{urlencode({'db': database, **options})}"


def _login(parts: SplitResult, options: dict[str, str]) -> str:
    """Taken out of the options, where redis-py would find it and kombu not."""
    user, password = options.pop("username", ""), options.pop("password", "")
    if parts.netloc or not (user or password):
        return parts.netloc
    return f"{quote(user, safe='')}:{quote(password, safe='')}@"


def _check_database(text: str) -> None:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("the database is a number, as in redis://host:6379/0 or unix:///path?db=0")


def _socket_url(url: str, database: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    options = dict(parse_qsl(parts.query))
    number = options.pop("db", "0")
    return f"redis+socket://{parts.netloc}{parts.path}?{urlencode({database: number, **options})}"

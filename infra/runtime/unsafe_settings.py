"""Settings that open a door in production, each under a name by which an operator may accept it.

Looks at values as they were given. What cannot be read is no business of this module: validation
tells it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address, ip_network
from urllib.parse import parse_qs, urlsplit

ACCEPTED = "QNT9_ACCEPTED_RISKS"
RISKS = {
    "relaxed-limits": "rate limits without effect",
    "large-quotas": "single limits far above the strict ones",
    "wide-proxies": "forwarded addresses believed from large parts of the internet",
    "public-url": "mailed links made of an address with a user, a query or a fragment",
    "kafka-plaintext": "Kafka without verified TLS",
    "postgres-plaintext": "PostgreSQL on another host without verified TLS",
    "redis-plaintext": "Redis or Valkey on another host without verified TLS",
    "smtp-plaintext": "mail handed over without TLS",
    "otlp-plaintext": "spans sent to another host without TLS",
}
"""Every name, and what is accepted with it."""
PLAINTEXT = {name for name in RISKS if name.endswith("-plaintext")}
TRUE = {"1", "true", "yes", "on", "t", "y"}

_MOST_IPV4, _MOST_IPV6 = 2**24, 2**112
"""Public addresses that proxies may have: a /8, a /16. No provider's ranges are larger."""
_PRIVATE = tuple(
    map(
        ip_network,
        (
            *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8"),
            *("169.254.0.0/16", "fc00::/7", "fe80::/10", "::1/128"),
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Violation:
    """A setting, what is wrong with it, and the name by which it may be accepted."""

    setting: str
    fault: str
    risk: str

    def __str__(self) -> str:
        every = " or QNT9_PLAINTEXT_ALLOWED=true" if self.risk in PLAINTEXT else ""
        where = ", on a network that no other party can read" if self.risk in PLAINTEXT else ""
        return f"{self.fault} ({ACCEPTED}={self.risk}{every} accepts it{where})"


def accepted(given: Mapping[str, str]) -> set[str]:
    """Return the names of what an operator has accepted."""
    names = {each.strip() for each in given.get("accepted_risks", "").split(",")} & RISKS.keys()
    if given.get("plaintext_allowed", "").lower() in TRUE:
        names |= PLAINTEXT
    return names


def read_risks(text: str) -> str:
    """Check that a text holds names of risks, between commas. Raises `ValueError`."""
    for name in filter(None, (each.strip() for each in text.split(","))):
        if name not in RISKS:
            raise ValueError(f"there is no risk {name!r}; there are {', '.join(sorted(RISKS))}")
    return text


def violations(given: Mapping[str, str], names: Iterable[str]) -> Iterator[Violation]:
    """Yield what opens a door, accepted or not. `names` are those that the process knows."""
    if given.get("limits") == "relaxed":
        yield Violation(
            "limits", "relaxed is for development: it limits almost nothing", "relaxed-limits"
        )
    if fault := _proxies(given.get("trusted_proxies", "")):
        yield Violation("trusted_proxies", fault, "wide-proxies")
    if fault := _public_url(given.get("public_url", "")):
        yield Violation("public_url", fault, "public-url")
    if "kafka_protocol" in names and given.get("kafka_protocol") == "SASL_PLAINTEXT":
        yield Violation("kafka_protocol", "must be SASL_SSL", "kafka-plaintext")
    if fault := _postgres(given.get("postgres_dsn", "")):
        yield Violation("postgres_dsn", fault, "postgres-plaintext")
    if fault := _redis(given.get("redis_url", "")):
        yield Violation("redis_url", fault, "redis-plaintext")
    starts_tls = given.get("smtp_starttls", "").lower() in TRUE
    if given.get("smtp_url", "").lower().startswith("smtp:") and not starts_tls:
        fault = "must be smtps:// or have QNT9_SMTP_STARTTLS=true"
        yield Violation("smtp_url", fault, "smtp-plaintext")
    otlp = urlsplit(given.get("otlp_endpoint", ""))
    if otlp.scheme == "http" and not is_local(otlp.hostname or ""):
        yield Violation("otlp_endpoint", "is on another host: must be https://", "otlp-plaintext")


def _proxies(text: str) -> str | None:
    networks: list[IPv4Network | IPv6Network] = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        try:
            network = ip_network(part)
        except ValueError:
            continue
        if not any(_within(network, private) for private in _PRIVATE):
            networks.append(network)
    fours = [each for each in networks if isinstance(each, IPv4Network)]
    sixes = [each for each in networks if isinstance(each, IPv6Network)]
    if (
        sum(each.num_addresses for each in collapse_addresses(fours)) > _MOST_IPV4
        or sum(each.num_addresses for each in collapse_addresses(sixes)) > _MOST_IPV6
    ):
        return "believes what large parts of the internet say of themselves: name the proxies"
    return None


def _within(network: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    if isinstance(network, IPv4Network):
        return isinstance(other, IPv4Network) and network.subnet_of(other)
    return isinstance(other, IPv6Network) and network.subnet_of(other)


def _public_url(text: str) -> str | None:
    parts = urlsplit(text)
    if "@" in parts.netloc:
        return "has a user: links would carry it"
    if "?" in text or "#" in text:
        return "has a query or a fragment: links would not lead where they should"
    return None


def _postgres(dsn: str) -> str | None:
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)
    hosts = [each for each in parts.netloc.rpartition("@")[2].split(",") if each]
    hosts += [each for hosts in query.get("host", ()) for each in hosts.split(",")]
    if not dsn or all(is_local(_without_port(each)) for each in hosts):
        return None
    if query.get("sslmode", [""])[-1] == "verify-full":
        return None
    return "is on another host: needs sslmode=verify-full&sslrootcert=/path/ca.pem"


def _redis(url: str) -> str | None:
    parts = urlsplit(url)
    if (
        not url
        or parts.scheme == "unix"
        or is_local(_without_port(parts.netloc.rpartition("@")[2]))
    ):
        return None
    if parts.scheme != "rediss":
        return "is on another host: must be rediss://"
    query = {name: values[-1].lower() for name, values in parse_qs(parts.query).items()}
    verified = query.get("ssl_cert_reqs", "required") in {"required", "cert_required"}
    if not verified or query.get("ssl_check_hostname", "true") not in TRUE:
        return "must verify the server's certificate: leave ssl_cert_reqs and ssl_check_hostname"
    return None


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def is_local(host: str) -> bool:
    """Return whether what is sent to a host never leaves this machine."""
    if not host or host.startswith("/") or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

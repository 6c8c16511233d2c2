"""Lync's and Skype for Business's pools: what kind each is, its members, and which pool a home server is of.

RTC Service is below Services in the configuration; older installations keep it below CN=Microsoft,CN=System of the root
domain. A pool's CN says nothing (``1:1``); its name is dNSHostName. Voice policies, routes, trunks, dial plans and the media
encryption are in the Central Management Store, outside of Active Directory.

Sources: Microsoft's schema reference of Lync Server 2013 (msRTCSIP-PoolType, -RoutingPoolDN, -TrustedServer, -TrustedService);
public scripts on msRTCSIP-PoolData (ExtendedType=CentralRegistrar, RemoteRegistrar, Director).
"""

import re
from collections.abc import Iterator, Mapping

from tandem.directory import objects as o
from tandem.directory.dn import DN
from tandem.directory.layout import Layout, domain_of
from tandem.directory.ldap.exchange.source import ForestReport
from tandem.directory.ldap.things import Thing, name_in
from tandem.org.vocabulary import DigestAlgorithm, MediaEncryption, PoolKind, PoolType

_STANDARD_EDITION, _ENTERPRISE = 0x1 | 0x4, 0x2 | 0x8
"""Bits of msRTCSIP-PoolType."""
_EXTENDED = re.compile(r"ExtendedType=(\w+)", re.IGNORECASE)
_TYPES = {"remoteregistrar": PoolType.BRANCH, "director": PoolType.DIRECTOR}
_OUTSIDE = (
    "voice dial plans and normalization rules",
    "voice policies, PSTN usages, voice routes and trunks",
)


class VoiceReader:
    """The pools of one forest; ``places`` are their names by where their objects are."""

    def __init__(self, report: ForestReport) -> None:
        self._report = report
        domain = domain_of(report.forest.name)
        self._bases = (
            Layout(forest=report.forest.name, organization="-").services,
            domain.child("CN", "System").child("CN", "Microsoft"),
        )
        self._things = [thing for thing in self._all("msRTCSIP-Pool") if thing.first("dNSHostName")]
        self.places = {thing.dn: thing.first("dNSHostName").lower() for thing in self._things}

    def _all(self, class_: str) -> Iterator[Thing]:
        for base in self._bases:
            yield from self._report.forest.find(base, f"(objectClass={class_})")

    def home_of(self, home_server: str) -> str:
        """The pool that a home server (msRTCSIP-PrimaryHomeServer) is in; empty if it is in none of them."""
        dn = name_in(home_server)
        inside = [place for place in self.places if dn is not None and dn.below(place)]
        return self.places[max(inside, key=lambda place: len(place.rdns))] if inside else ""

    def pools(self) -> Iterator[o.VoicePool]:
        """Each with what it is and, of an Enterprise pool, its members."""
        members = self._members()
        for thing in self._things:
            fqdn, type_ = self.places[thing.dn], self._type(thing)
            servers = members.get(thing.dn, ())
            if type_ is PoolType.STANDARD_EDITION or (type_ is PoolType.BRANCH and not servers):
                servers = (fqdn,)
            elif servers:
                told = "by the trusted services that it routes; an application's own server may be among them"
                self._report.note(f"voice pool {fqdn}: members {', '.join(servers)} {told}")
            else:
                why = "no trusted service names a server of it (tandem observe, or Get-CsPool)"
                self._report.unread(o.VoicePool, fqdn, "servers", why)
            why = "it is outside of Active Directory (tandem observe, or Get-CsMediaConfiguration)"
            self._report.unread(o.VoicePool, fqdn, "media_encryption", why)
            yield o.VoicePool(
                fqdn=fqdn,
                kind=PoolKind.LYNC,
                pool_type=type_,
                servers=servers,
                media_encryption=MediaEncryption.REQUIRE,
                digest=tuple(DigestAlgorithm),
            )
        if self._things:
            for what in _OUTSIDE:
                self._report.note(f"Lync keeps {what} outside of Active Directory: unread")
            self._report.unread(o.VoiceDialPlan, "", "simple_name", "Lync keeps them outside of Active Directory")

    def _type(self, thing: Thing) -> PoolType:
        """What the pool data say; else by the edition."""
        said = _EXTENDED.search(" ".join(thing.all("msRTCSIP-PoolData")))
        if said and said[1].lower() in _TYPES:
            return _TYPES[said[1].lower()]
        bits = thing.number("msRTCSIP-PoolType") or 0
        if not bits & (_STANDARD_EDITION | _ENTERPRISE):
            why = f"msRTCSIP-PoolType is {thing.first('msRTCSIP-PoolType')!r} (tandem observe, or Get-CsPool)"
            self._report.unread(o.VoicePool, self.places[thing.dn], "pool_type", why)
        return PoolType.FRONT_END if bits & _ENTERPRISE else PoolType.STANDARD_EDITION

    def _members(self) -> Mapping[DN, tuple[str, ...]]:
        """The servers of each pool: trusted servers whose services are routed by it."""
        known = {each.first("msRTCSIP-TrustedServerFQDN").lower() for each in self._all("msRTCSIP-TrustedServer")}
        found: dict[DN, list[str]] = {}
        for service in self._all("msRTCSIP-TrustedService"):
            fqdn, by = (
                service.first("msRTCSIP-TrustedServerFQDN").lower(),
                name_in(service.first("msRTCSIP-RoutingPoolDN")),
            )
            pool = next((place for place in self.places if by is not None and by.below(place)), None)
            if pool is not None and fqdn in known and fqdn not in self.places.values():
                found.setdefault(pool, []).append(fqdn)
        return {place: tuple(sorted(set(held))) for place, held in found.items()}

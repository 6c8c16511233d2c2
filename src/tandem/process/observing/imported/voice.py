"""The voice side of an organization file, from an observation of Lync."""

from collections.abc import Iterator

from tandem.org import model as m
from tandem.org.vocabulary import GLOBAL, MediaEncryption, PoolKind, PoolType
from tandem.process.observing.comparing import bare_identity, number_in, removed
from tandem.process.observing.imported.written import said
from tandem.process.observing.judges.lync_servers import VERSIONS, level_of, roles_of_pool, type_of
from tandem.process.observing.judges.lync_voice import is_default_rule, rules_of
from tandem.process.observing.model import ObservedObject
from tandem.process.observing.seen import Seen, text, texts


class ObservedVoice:
    """What was seen of Lync."""

    def __init__(self, seen: Seen, forest: str) -> None:
        self.seen, self.forest = seen, forest
        self.notes: list[str] = []

    def pools(self) -> tuple[m.DeclaredVoicePool, ...]:
        """The pools that have a Registrar."""
        services = self.seen.section("CsService")
        out = []
        for each in self.seen.section("CsPool").objects:
            roles = roles_of_pool(each, services)
            if "registrar" in roles:
                out.append(self._pool(each, type_of(each, roles)))
        return tuple(out)

    def _pool(self, pool: ObservedObject, type_: PoolType) -> m.DeclaredVoicePool:
        fqdn = text(pool, "Fqdn").lower()
        numbers = [
            number_in(each, "Version", 0)
            for each in self.seen.section("CsService").objects
            if text(each, "PoolFqdn").lower() == fqdn
        ]
        version = VERSIONS.get(max(numbers, default=0), "")
        level = level_of(self.seen, fqdn)
        computers = tuple(name.lower() for name in texts(pool, "Computers"))
        words = {word.lower(): word for word in MediaEncryption}
        if level.lower() not in words:
            self.notes.append(
                f"voice pool {fqdn}: its media encryption was not read; {MediaEncryption.REQUIRE} is assumed"
            )
        return m.DeclaredVoicePool(
            fqdn=fqdn,
            forest=self.forest,
            kind=PoolKind.LYNC,
            pool_type=type_,
            version="" if version == "2013" else version,
            servers=() if computers in ((), (fqdn,)) else computers,
            media_encryption=words.get(level.lower(), MediaEncryption.REQUIRE),
        )

    def sections(self) -> dict[str, object]:
        """Dial plans, policies, usages, routes and gateways."""
        routes = sorted(self.seen.section("CsVoiceRoute").objects, key=lambda each: number_in(each, "Priority", 0))
        usages = [usage for each in self.seen.section("CsPstnUsage").objects for usage in texts(each, "Usage")]
        return {
            "voice_dial_plans": [said(plan) for plan in self._dial_plans()],
            "voice_policies": [said(policy) for policy in self._policies()],
            "pstn_usages": list(dict.fromkeys(usages)),
            "voice_routes": [said(self._route(each)) for each in routes],
            "pstn_gateways": [said(gateway) for gateway in self._gateways()],
        }

    def _dial_plans(self) -> Iterator[m.DeclaredVoiceDialPlan]:
        for each in self.seen.section("CsDialPlan").objects:
            rules = rules_of(each)
            while rules and is_default_rule(rules[-1]):
                rules = rules[:-1]
            yield m.DeclaredVoiceDialPlan(
                identity=_identity(each),
                simple_name=text(each, "SimpleName"),
                normalization_rules=tuple(
                    m.DeclaredNormalizationRule(
                        name=rule.name,
                        pattern=rule.pattern,
                        translation=rule.translation,
                        is_internal_extension=rule.is_internal_extension,
                    )
                    for rule in rules
                ),
            )

    def _policies(self) -> Iterator[m.DeclaredVoicePolicy]:
        for each in self.seen.section("CsVoicePolicy").objects:
            yield m.DeclaredVoicePolicy(
                identity=_identity(each),
                allow_call_forwarding=each.get("AllowCallForwarding") is not False,
                allow_simul_ring=each.get("AllowSimulRing") is not False,
                enable_call_transfer=each.get("EnableCallTransfer") is not False,
                pstn_usages=texts(each, "PstnUsages"),
            )

    def _route(self, route: ObservedObject) -> m.DeclaredVoiceRoute:
        return m.DeclaredVoiceRoute(
            name=text(route, "Identity"),
            number_pattern=text(route, "NumberPattern"),
            pstn_usages=texts(route, "PstnUsages"),
            pstn_gateways=tuple(removed(name, "PstnGateway:") for name in texts(route, "PstnGatewayList")),
        )

    def _gateways(self) -> Iterator[m.DeclaredPstnGateway]:
        pools = {pool.fqdn for pool in self.pools()}
        for each in self.seen.section("PstnGateway").objects:
            fqdn, pool = (
                text(each, "PoolFqdn").lower(),
                removed(text(each, "MediationServer"), "MediationServer:").lower(),
            )
            if pool not in pools:
                self.notes.append(f"PSTN gateway {fqdn}: its Mediation Server {pool or '-'} is in no pool: left out")
                continue
            self.notes.append(f"PSTN gateway {fqdn}: its transport is not observed; tls is assumed")
            yield m.DeclaredPstnGateway(fqdn=fqdn, pool=pool, port=number_in(each, "Port", 5067))


def _identity(found: ObservedObject) -> str:
    identity = bare_identity(text(found, "Identity"))
    return GLOBAL if identity.lower() == GLOBAL.lower() else identity

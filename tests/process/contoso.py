"""The organization that the tests of runbooks write them for: Exchange servers of one version, a Lync pool with a branch."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

from tandem.org import model as m
from tandem.org.vocabulary import PhoneEdition, PoolKind, PoolType, ServerKind, UriType, VoiceFeature, VoIPSecurity
from tandem.process.runbook.steps import for_team, in_forest, runbook_steps
from tandem.process.runbook.writing.book import Runbook

VERSIONS = [("2007", 3), ("2010", 0), ("2010", 2), ("2013", 0), ("2016", 0)]
HOSTILE = "O'Brien $(Remove-Item x) `n \u2019; Stop-Computer #> \"&"


def organization(
    version: str = "2013", pack: int = 0, *, forests: int = 1, name: str = "Main", lync: str = "2013"
) -> m.Organization:
    """An Exchange organization with a Lync pool, a branch, an auto attendant, plain gateways and users."""
    mail = "mail.example.com" if forests == 2 else "example.com"
    named = [
        m.Forest(name=n, domains=("example.com",), trusts=tuple({mail, "example.com"} - {n}))
        for n in dict.fromkeys((mail, "example.com"))
    ]
    return m.Organization(
        name="Contoso",
        path=Path("/x/organization.yaml"),
        directory="/x/directory.db",
        state=Path("/x/state"),
        secrets=Path("/x/secrets"),
        phone_edition=PhoneEdition.DEPLOYED,
        voice_features=tuple(VoiceFeature),
        forests=tuple(named),
        messaging_servers=tuple(
            m.DeclaredMessagingServer(fqdn=f"ex{n}.{mail}", forest=mail, kind=ServerKind.EXCHANGE, version=version, service_pack=pack)
            for n in (1, 2)
        ),
        voice_pools=(
            m.DeclaredVoicePool(fqdn="pool1.example.com", forest="example.com", kind=PoolKind.LYNC, version=lync, pool_type=PoolType.FRONT_END, servers=("fe1.example.com", "fe2.example.com")),
            m.DeclaredVoicePool(fqdn="branch.example.com", forest="example.com", kind=PoolKind.LYNC, version=lync, pool_type=PoolType.BRANCH),
        ),
        um_dial_plans=(
            m.DeclaredUMDialPlan(name=name, forest=mail, extension_digits=4, access_numbers=("+14255550100",)),
            m.DeclaredUMDialPlan(name="Lobby", forest=mail, extension_digits=3, uri_type=UriType.TEL_EXTN, voip_security=VoIPSecurity.UNSECURED),
        ),
        um_mailbox_policies=(m.DeclaredUMMailboxPolicy(name="Strict", um_dial_plan=name, min_pin_length=8),),
        um_ip_gateways=(m.DeclaredUMIPGateway(name="PBX", um_dial_plan="Lobby", address="192.0.2.1", pilot_identifier="5000"),),
        um_auto_attendants=(m.DeclaredUMAutoAttendant(name="Reception", um_dial_plan=name, pilot_identifiers=("+14255550101",)),),
        voice_dial_plans=(
            m.DeclaredVoiceDialPlan(identity="Main", simple_name=f"{name}.{mail}", normalization_rules=(m.DeclaredNormalizationRule(name="Ext", pattern=r"^(\d{4})$", translation="+1425555$1"),)),
        ),
        voice_policies=(m.DeclaredVoicePolicy(identity="Staff", pstn_usages=("Local",)),),
        pstn_usages=("Local",),
        voice_routes=(m.DeclaredVoiceRoute(name="All", number_pattern=r"^\+1", pstn_usages=("Local",), pstn_gateways=("gw.example.com",)),),
        pstn_gateways=(m.DeclaredPstnGateway(fqdn="gw.example.com", pool="pool1.example.com"),),
        contacts=(m.DeclaredContact(display_name="SA", sip_address="sa@example.com", um_dial_plan=name, number="+14255550100", pool="pool1.example.com", ou="OU=UM,DC=example,DC=com"),),
        users=(
            m.DeclaredUser(account="alice", display_name="Alice", forest="example.com", ou="OU=P,DC=example,DC=com", mail="alice@example.com", sip_address="alice@example.com", pool="pool1.example.com", line_uri="tel:+14255554101", extension="4101", um_mailbox_policy=f"{name} Default Policy", voice_policy="Staff"),
        ),
    )  # fmt: skip


def mixed() -> m.Organization:
    """A forest with Exchange 2007 and 2013."""
    org = organization()
    old = dataclasses.replace(org.messaging_servers[0], fqdn="ex07.example.com", version="2007", service_pack=3)
    return dataclasses.replace(org, messaging_servers=(*org.messaging_servers, old))


def book(organization: m.Organization, *, team: str = "all", forest: str = "") -> Runbook:
    """Its runbook, or one team's or forest's share, as of 28 November 2026."""
    every = runbook_steps(organization)
    steps = in_forest(for_team(every, team), forest)
    at = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
    return Runbook(organization=organization, steps=steps, every=every, at=at, version="0.2.0")


def hostile(text: str = HOSTILE) -> m.Organization:
    """An organization whose texts try to leave their literals wherever a text can stand."""
    org = organization(name=text)
    each = dataclasses.replace
    return each(
        org,
        name=text,
        certificate_authority=text,
        um_mailbox_policies=tuple(each(p, name=text, um_enabled_text=text) for p in org.um_mailbox_policies),
        um_ip_gateways=tuple(each(g, name=text, address=text, pilot_identifier=text) for g in org.um_ip_gateways),
        um_auto_attendants=tuple(each(a, name=text, pilot_identifiers=(text,)) for a in org.um_auto_attendants),
        voice_dial_plans=tuple(
            each(
                p,
                identity=text,
                simple_name=text,
                normalization_rules=tuple(each(r, name=text) for r in p.normalization_rules),
            )
            for p in org.voice_dial_plans
        ),
        voice_policies=tuple(each(p, identity=text, pstn_usages=(text,)) for p in org.voice_policies),
        pstn_usages=(text,),
        voice_routes=tuple(
            each(r, name=text, number_pattern=text, pstn_usages=(text,), pstn_gateways=(text,))
            for r in org.voice_routes
        ),
        contacts=tuple(each(c, display_name=text, sip_address=text, number=text, ou=text) for c in org.contacts),
        users=tuple(
            each(u, account=text, display_name=text, mail=text, sip_address=text, line_uri=text, voice_policy=text)
            for u in org.users
        ),
    )

"""What the collectors would export of an organization that is as declared, written by docs/observation.md.

It knows nothing of how observations are judged. ``results`` gives the files of a deployment, each as its members; ``sealed``
makes the bytes of one.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tandem.org import model as m
from tandem.org.vocabulary import PoolKind, PoolType, ServerKind, UriType, VoIPSecurity

AT = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
"""When the exchange side was read; the lync side was read an hour later, its services restarted in between."""
Members = dict[str, Any]
Objects = list[dict[str, Any]]

_VERSIONS = {
    "2007": "Version 8.{pack} (Build 83.6)",
    "2010": "Version 14.{pack} (Build 123.4)",
    "2013": "Version 15.0 (Build 1497.2)",
    "2016": "Version 15.1 (Build 2507.6)",
}
_ROLES = {
    "2007": ("UM", "HubTransport", "ClientAccess", "Mailbox"),
    "2010": ("UM", "HubTransport", "ClientAccess", "Mailbox"),
    "2013": ("ClientAccess", "Mailbox"),
    "2016": ("Mailbox",),
}
_LYNC_SHELLS = {"2010": "lync-2010", "2013": "lync-2013", "2015": "skype-2015"}
_SERVICE_VERSIONS = {"2010": 5, "2013": 6, "2015": 7}
_EVERY = ("Service", "Trust", "GroupMember")


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def sealed(members: Members) -> bytes:
    """The bytes of a file, with the digest of all before it."""
    body = json.dumps(members, ensure_ascii=False, separators=(",", ":"))[:-1].encode()
    return body + f',"sha256":"{hashlib.sha256(body).hexdigest()}"}}\n'.encode()


def results(org: m.Organization, at: datetime = AT) -> dict[str, Members]:
    """The result of each collector by a name for it: one per forest and shell, and one on each server that only it can read."""
    out: dict[str, Members] = {}
    for forest in org.messaging_forests:
        servers = org.servers_in(forest, ServerKind.EXCHANGE)
        for version in dict.fromkeys(s.version for s in servers):
            mine = [s for s in servers if s.version == version]
            for server in mine if version == "2007" else mine[:1]:
                objects = _Exchange(org, forest, version, at).objects(server.fqdn)
                out[f"exchange-{server.fqdn}"] = _members(
                    "exchange", forest, f"exchange-{version}", server.fqdn, at, objects
                )
    pools = org.pools_of(PoolKind.LYNC)
    for pool in pools:
        for server in _servers(pool):
            objects = _Lync(org, at + timedelta(minutes=30)).objects(server)
            shell = _LYNC_SHELLS[pool.version or "2013"]
            out[f"lync-{server}"] = _members("lync", pool.forest, shell, server, at + timedelta(hours=1), objects)
    return out


def _members(side: str, forest: str, shell: str, host: str, at: datetime, objects: dict[str, Objects | str]) -> Members:
    return {
        "format": "tandem-observation",
        "version": 1,
        "side": side,
        "forest": forest,
        "by": f"{forest.partition('.')[0].upper()}\\xena",
        "host": host,
        "shell": shell,
        "started": stamp(at),
        "ended": stamp(at + timedelta(seconds=21)),
        "objects": {name: held for name, held in objects.items() if isinstance(held, list)},
        "unread": {name: why for name, why in objects.items() if isinstance(why, str)},
    }


def _servers(pool: m.DeclaredVoicePool) -> tuple[str, ...]:
    return pool.servers or (pool.fqdn,)


def _users(org: m.Organization, plans: set[str]) -> Iterator[tuple[m.DeclaredUser, m.DeclaredUMDialPlan]]:
    policy_of = {f"{p.name} Default Policy": p.name for p in org.um_dial_plans}
    policy_of |= {p.name: p.um_dial_plan for p in org.um_mailbox_policies}
    by_name = {p.name: p for p in org.um_dial_plans}
    for user in org.users:
        if policy_of.get(user.um_mailbox_policy) in plans:
            yield user, by_name[policy_of[user.um_mailbox_policy]]


def trusts(org: m.Organization) -> Objects:
    """Each pair of forests that trust each other, or one the other, as the first of them names it."""
    out: Objects = []
    trusting = {f.name: set(f.trusts) for f in org.forests}
    names = list(trusting)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            out_, in_ = other in trusting[one], one in trusting[other]
            if out_ or in_:
                direction = "Bidirectional" if out_ and in_ else "Outbound" if out_ else "Inbound"
                out.append({"Source": one, "Target": other, "Direction": direction})
    return out


class _Exchange:
    """One messaging forest, as a shell sees it."""

    def __init__(self, org: m.Organization, forest: str, version: str, at: datetime) -> None:
        self.org, self.forest, self.version, self.at = org, forest, version, at
        self.servers = org.servers_in(forest, ServerKind.EXCHANGE)
        self.plans = [p for p in org.um_dial_plans if p.forest == forest]
        self.names = {p.name for p in self.plans}
        self.old = version == "2007"

    def objects(self, host: str) -> dict[str, Objects | str]:
        modern = self.version in ("2013", "2016")
        absent = f"The term is not recognized in the shell of Exchange {self.version}."
        organization = f"CN={self.org.name},CN=Microsoft Exchange,CN=Services,CN=Configuration,DC="
        return {
            "OrganizationConfig": [
                {"Name": self.org.name, "DistinguishedName": organization + self.forest.replace(".", ",DC=")}
            ],
            "ExchangeServer": [self._server(s) for s in self.servers],
            "UMServer": absent if modern else [self._um(s, "UM") for s in self.servers if self._has(s, "UM")],
            "UMService": [self._um(s, "Mailbox") for s in self.servers if self._has(s, "Mailbox")]
            if modern
            else absent,
            "UMCallRouterSettings": (
                [self._um(s, "ClientAccess") for s in self.servers if self._router(s)] if modern else absent
            ),
            "ExchangeCertificate": [self._certificate(s) for s in self.servers if not self.old or s.fqdn == host],
            "UMDialPlan": [self._dial_plan(p) for p in self.plans],
            "UMMailboxPolicy": list(self._policies()),
            "UMAutoAttendant": [
                self._attendant(a) for a in self.org.um_auto_attendants if a.um_dial_plan in self.names
            ],
            "UMIPGateway": list(self._gateways()),
            "UMHuntGroup": list(self._hunt_groups()),
            "ADPermission": list(self._permissions()),
            "UMMailbox": [self._mailbox(u, p) for u, p in _users(self.org, self.names)],
            "Service": list(self._services()),
            "Trust": trusts(self.org),
            "GroupMember": self._groups(),
        }

    def _has(self, server: m.DeclaredMessagingServer, role: str) -> bool:
        modern = server.version in ("2013", "2016")
        return modern == (self.version in ("2013", "2016")) and role in (server.roles or _ROLES[server.version])

    def _router(self, server: m.DeclaredMessagingServer) -> bool:
        return self._has(server, "ClientAccess") or (server.version == "2016" and self._has(server, "Mailbox"))

    def _server(self, server: m.DeclaredMessagingServer) -> dict[str, Any]:
        roles = server.roles or _ROLES[server.version]
        return {
            "Fqdn": server.fqdn,
            "AdminDisplayVersion": _VERSIONS[server.version].format(pack=server.service_pack),
            "ServerRole": ["UnifiedMessaging" if role == "UM" else role for role in roles],
            "Site": f"{self.forest}/Configuration/Sites/Default-First-Site-Name",
        }

    def _um(self, server: m.DeclaredMessagingServer, role: str) -> dict[str, Any]:
        plans = [p for p in self.plans if server.dial_plans is None or p.name in server.dial_plans]
        plain = [p for p in plans if p.voip_security is VoIPSecurity.UNSECURED]
        mode = "TLS" if not plain else "TCP" if len(plain) == len(plans) else "Dual"
        listed = [p.name for p in plans if role == "UM" or p.uri_type is UriType.SIP_NAME]
        out: dict[str, Any] = {"Fqdn": server.fqdn, "DialPlans": listed}
        if role == "UM":
            out["Status"] = "Enabled"
        return out if server.version == "2007" else out | {"UMStartupMode": mode}

    def _certificate(self, server: m.DeclaredMessagingServer) -> dict[str, Any]:
        return {
            "Server": server.fqdn,
            "Subject": f"CN={server.fqdn}, O=Example",
            "CertificateDomains": [server.fqdn],
            "Issuer": "CN=Example CA",
            "NotBefore": stamp(self.at - timedelta(days=100)),
            "NotAfter": stamp(self.at + timedelta(days=265)),
            "Services": [] if server.version == "2007" else ["UM", "UMCallRouter"],
            "Thumbprint": hashlib.sha1(server.fqdn.encode()).hexdigest().upper(),
            "IsSelfSigned": False,
        }

    def _dial_plan(self, plan: m.DeclaredUMDialPlan) -> dict[str, Any]:
        out = {
            "Name": plan.name,
            "URIType": str(plan.uri_type),
            "NumberOfDigitsInExtension": plan.extension_digits,
            "VoIPSecurity": str(plan.voip_security),
            "PhoneContext": f"{plan.name}.{plan.forest}",
            "AccessTelephoneNumbers": list(plan.access_numbers),
            "CountryOrRegionCode": plan.country_code,
            "DefaultLanguage": plan.language,
            "OperatorExtension": plan.operator_extension or None,
            "MaxCallDuration": plan.max_call_duration_min,
            "MaxRecordingDuration": plan.max_recording_duration_min,
            "RecordingIdleTimeout": plan.recording_idle_timeout_s,
        }
        if self.old:
            del out["CountryOrRegionCode"]
        return out

    def _policies(self) -> Iterator[dict[str, Any]]:
        own = [p for p in self.org.um_mailbox_policies if p.um_dial_plan in self.names]
        said = {p.name for p in own}
        for plan in self.plans:
            if f"{plan.name} Default Policy" not in said:
                yield {"Name": f"{plan.name} Default Policy", "UMDialPlan": plan.name}
        for policy in own:
            out = {
                "Name": policy.name,
                "UMDialPlan": policy.um_dial_plan,
                "MinPINLength": policy.min_pin_length,
                "PINLifetime": f"{policy.pin_lifetime_days}.00:00:00",
                "PINHistoryCount": policy.pin_history_count,
                "MaxLogonAttempts": str(policy.max_logon_attempts),
                "LogonFailuresBeforePINReset": str(policy.logon_failures_before_pin_reset),
                "AllowMissedCallNotifications": policy.allow_missed_call_notifications,
                "AllowMessageWaitingIndicator": policy.allow_message_waiting_indicator,
                "UMEnabledText": policy.um_enabled_text or None,
                "VoiceMailText": policy.voice_mail_text or None,
            }
            if self.old:
                del out["AllowMessageWaitingIndicator"]
            yield out

    def _attendant(self, attendant: m.DeclaredUMAutoAttendant) -> dict[str, Any]:
        return {
            "Name": attendant.name,
            "UMDialPlan": attendant.um_dial_plan,
            "PilotIdentifierList": list(attendant.pilot_identifiers),
            "Status": "Enabled" if attendant.enabled else "Disabled",
            "SpeechEnabled": attendant.speech_enabled,
            "Language": attendant.language,
        }

    def _secured(self) -> list[str]:
        secured = [p for p in self.plans if p.voip_security is not VoIPSecurity.UNSECURED]
        return [p.name for p in secured if p.uri_type is UriType.SIP_NAME]

    def _gateways(self) -> Iterator[dict[str, Any]]:
        users = Counter(u.pool for u in self.org.users if u.line_uri)
        calling = [p for p in self.org.voice_pools if p.pool_type not in (PoolType.DIRECTOR, PoolType.BRANCH)]
        caller = max(calling, key=lambda p: users[p.fqdn]).fqdn
        for pool in self.org.voice_pools:
            # The shipped script names a gateway after the pool's CN, which is no FQDN.
            yield self._gateway(
                f"1:{pool.fqdn.partition('.')[0]}", pool.fqdn, 5061 if self._secured() else 5060, pool.fqdn == caller
            )
        for each in self.org.um_ip_gateways:
            if each.um_dial_plan in self.names:
                yield self._gateway(each.name, each.address, each.port, False)

    def _gateway(self, name: str, address: str, port: int, calls: bool) -> dict[str, Any]:
        out = {"Name": name, "Address": address, "Port": port, "OutcallsAllowed": calls, "Status": "Enabled"}
        return out if self.old else out | {"MessageWaitingIndicatorAllowed": True}

    def _hunt_groups(self) -> Iterator[dict[str, Any]]:
        for pool in self.org.voice_pools:
            for name in self._secured():
                gateway = f"1:{pool.fqdn.partition('.')[0]}"
                yield {"Name": name, "UMIPGateway": gateway, "UMDialPlan": name, "PilotIdentifier": name}
        for each in self.org.um_ip_gateways:
            if each.um_dial_plan in self.names:
                yield {
                    "Name": each.um_dial_plan,
                    "UMIPGateway": each.name,
                    "UMDialPlan": each.um_dial_plan,
                    "PilotIdentifier": each.pilot_identifier,
                }

    def _permissions(self) -> Iterator[dict[str, Any]]:
        below = ("UM DialPlan Container", "UM AutoAttendant Container", "UM IPGateway Container")
        places = ("Organization", *below, "Servers")
        for place in places:
            for group in ("RTCUniversalServerAdmins", "RTCComponentUniversalServices"):
                yield {
                    "Container": place,
                    "User": f"{self.org.voice_forest.partition('.')[0].upper()}\\{group}",
                    "AccessRights": ["ListChildren"] if place == "Organization" else ["ListChildren", "ReadProperty"],
                    "Deny": False,
                    "IsInherited": False,
                }

    def _mailbox(self, user: m.DeclaredUser, plan: m.DeclaredUMDialPlan) -> dict[str, Any]:
        context = f"{plan.name}.{plan.forest}"
        primary = {
            UriType.SIP_NAME: (f"EUM:{user.sip_address}", f"eum:{user.extension}"),
            UriType.E164: (f"EUM:+{user.extension}",),
            UriType.TEL_EXTN: (f"EUM:{user.extension}",),
        }
        addresses = [f"{each};phone-context={context}" for each in primary[plan.uri_type]]
        return {
            "PrimarySmtpAddress": user.mail,
            "UMMailboxPolicy": user.um_mailbox_policy,
            "Extensions": [user.extension],
            "EmailAddresses": addresses,
        }

    def _services(self) -> Iterator[dict[str, Any]]:
        for server in self.servers:
            for name in ("MSExchangeUM", "MSExchangeUMCR") if server.version in ("2013", "2016") else ("MSExchangeUM",):
                started = stamp(self.at - timedelta(hours=2))
                yield {"Server": server.fqdn, "Name": name, "Status": "Running", "StartTime": started}

    def _groups(self) -> Objects:
        since_2010 = ("Organization Management", "Recipient Management", "Server Management", "UM Management")
        of_2007 = ("Exchange Organization Administrators", "Exchange Recipient Administrators")
        names = of_2007 if {s.version for s in self.servers} == {"2007"} else since_2010
        own = _voice_groups() if self.org.voice_forest == self.forest else []
        members = [f"{self.forest.partition('.')[0].upper()}\\maria"]
        # A group that Windows has named in another language than English.
        localized = {"Group": "Administrateurs", "Members": members, "WellKnown": "Administrators"}
        return [{"Group": name, "Members": members} for name in names] + [localized] + own


def _voice_groups() -> Objects:
    names = ("RTCUniversalServerAdmins", "RTCUniversalUserAdmins", "RTCComponentUniversalServices")
    localized = {"Group": "Administrateurs", "Members": ["LITWARE\\victor"], "WellKnown": "Administrators"}
    return [*({"Group": name, "Members": ["LITWARE\\victor"]} for name in names), localized]


class _Lync:
    """The voice forest."""

    def __init__(self, org: m.Organization, restarted: datetime) -> None:
        self.org, self.restarted = org, restarted
        self.pools = org.pools_of(PoolKind.LYNC)

    def objects(self, host: str) -> dict[str, Objects | str]:
        org = self.org
        return {
            "CsSite": [{"Identity": "Site:Redmond"}],
            "CsPool": [self._pool(p) for p in self.pools],
            "CsService": [
                {
                    "Role": role,
                    "PoolFqdn": p.fqdn,
                    "Version": _SERVICE_VERSIONS[p.version or "2013"],
                    "SiteId": "Site:Redmond",
                }
                for p in self.pools
                for role in _services_of(p)
            ],
            "CsMediaConfiguration": [{"Identity": "Global", "EncryptionLevel": str(self.pools[0].media_encryption)}],
            "CsCertificate": [self._certificate(p, host) for p in self.pools if host in _servers(p)],
            "CsDialPlan": [self._dial_plan(p) for p in org.voice_dial_plans],
            "CsVoicePolicy": [
                {
                    "Identity": _tagged(p.identity),
                    "PstnUsages": list(p.pstn_usages),
                    "AllowCallForwarding": p.allow_call_forwarding,
                    "AllowSimulRing": p.allow_simul_ring,
                    "EnableCallTransfer": p.enable_call_transfer,
                }
                for p in org.voice_policies
            ],
            "CsPstnUsage": [{"Usage": list(org.pstn_usages)}],
            "CsVoiceRoute": [
                {
                    "Identity": r.name,
                    "Priority": 3 + 2 * number,
                    "NumberPattern": r.number_pattern,
                    "PstnUsages": list(r.pstn_usages),
                    "PstnGatewayList": [f"PstnGateway:{name}" for name in r.pstn_gateways],
                }
                for number, r in enumerate(org.voice_routes)
            ],
            "PstnGateway": [
                {"PoolFqdn": g.fqdn, "MediationServer": f"MediationServer:{g.pool}", "Port": g.port}
                for g in org.pstn_gateways
            ],
            "CsUser": [self._user(u) for u in org.users if u.pool in {p.fqdn for p in self.pools}],
            "UMContact": [self._contact(c, number) for number, c in enumerate(org.contacts)],
            "Service": [
                {"Server": server, "Name": name, "Status": "Running", "StartTime": stamp(self.restarted)}
                for p in self.pools
                for server in _servers(p)
                for name in ("RTCSRV", "RTCMEDSRV")
            ],
            "Trust": trusts(org),
            "GroupMember": _voice_groups(),
        }

    def _pool(self, pool: m.DeclaredVoicePool) -> dict[str, Any]:
        return {
            "Fqdn": pool.fqdn,
            "Computers": list(_servers(pool)),
            "Site": "Site:Redmond",
            "Services": [f"{role}:{pool.fqdn}" for role in _services_of(pool)],
        }

    def _certificate(self, pool: m.DeclaredVoicePool, server: str) -> dict[str, Any]:
        return {
            "Server": server,
            "Use": "Default",
            "Subject": f"CN={pool.fqdn}",
            "AlternativeNames": list(dict.fromkeys((pool.fqdn, server))),
            "Issuer": "CN=Example CA",
            "NotBefore": stamp(self.restarted - timedelta(days=100)),
            "NotAfter": stamp(self.restarted + timedelta(days=265)),
            "Thumbprint": hashlib.sha1(server.encode()).hexdigest().upper(),
        }

    def _dial_plan(self, plan: m.DeclaredVoiceDialPlan) -> dict[str, Any]:
        rules = [
            {
                "Name": r.name,
                "Pattern": r.pattern,
                "Translation": r.translation,
                "IsInternalExtension": r.is_internal_extension,
            }
            for r in plan.normalization_rules
        ]
        # What New-CsDialPlan has made stays, behind the declared rules.
        keep_all = {"Name": "Keep All", "Pattern": r"^(\d+)$", "Translation": "$1", "IsInternalExtension": False}
        return {
            "Identity": _tagged(plan.identity),
            "SimpleName": plan.simple_name,
            "NormalizationRules": [*rules, keep_all],
        }

    def _user(self, user: m.DeclaredUser) -> dict[str, Any]:
        return {
            "SamAccountName": user.account,
            "UserPrincipalName": f"{user.account}@{user.forest}",
            "SipAddress": f"sip:{user.sip_address}",
            "DisplayName": user.display_name,
            "RegistrarPool": user.pool,
            "EnterpriseVoiceEnabled": bool(user.line_uri),
            "LineURI": user.line_uri or None,
            "DialPlan": user.voice_dial_plan or None,
            "VoicePolicy": user.voice_policy or None,
        }

    def _contact(self, contact: m.DeclaredContact, number: int) -> dict[str, Any]:
        return {
            "DisplayName": contact.display_name,
            "SipAddress": f"sip:{contact.sip_address}",
            "LineURI": f"tel:{contact.number}",
            "RegistrarPool": contact.pool,
            "OtherIpPhone": ["not public"],
            "DistinguishedName": f"CN={{{number:08d}-0000-0000-0000-000000000000}},{contact.ou}",
        }


def _services_of(pool: m.DeclaredVoicePool) -> tuple[str, ...]:
    match pool.pool_type:
        case PoolType.DIRECTOR:
            return ("Registrar", "WebServer", "Director")
        case PoolType.BRANCH:
            return ("Registrar", "MediationServer")
    return ("UserServer", "Registrar", "WebServer", "MediationServer")


def _tagged(identity: str) -> str:
    return identity if identity == "Global" or ":" in identity else f"Tag:{identity}"

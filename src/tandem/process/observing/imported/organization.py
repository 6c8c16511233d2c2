"""An organization file from observations alone: kinds exchange and lync, as they were seen.

After 'tandem observe' of the same results the plan is empty but for what a collector cannot see. What an observation does not
tell and the file must say is assumed, and noted: OUs of users, the transport of gateways, which UM object a contact is for.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import TypeVar

from tandem.org import model as m
from tandem.org.groups import EXCHANGE_2007_GROUPS, GROUPS, SERVICE_GROUPS
from tandem.org.versions import ROLES, generation
from tandem.org.vocabulary import ServerKind, UriType, VoIPSecurity
from tandem.process.errors import ProcessError
from tandem.process.observing.comparing import number_in
from tandem.process.observing.imported.people import ObservedPeople
from tandem.process.observing.imported.voice import ObservedVoice
from tandem.process.observing.imported.written import said
from tandem.process.observing.judges.exchange_servers import roles_seen, version_of
from tandem.process.observing.model import Observation, ObservedObject
from tandem.process.observing.seen import Seen, by_side_and_forest, can_read, text, texts
from tandem.process.tasks.preconditions import INITIAL_ADMINISTRATOR

Sections = dict[str, object]
_ROLES = {"um": "UM", "hubtransport": "HubTransport", "clientaccess": "ClientAccess", "mailbox": "Mailbox"}
_DIRECTORY = "state/directory.db"
_DEFAULT_POLICY = "{} Default Policy"
"""The name of the mailbox policy that New-UMDialPlan makes with a dial plan."""


def imported(observations: Sequence[Observation]) -> tuple[Sections, tuple[str, ...]]:
    """The sections of an organization file, and what was assumed or left out.

    Raises:
        ProcessError: there is no observation, or lync was observed in several forests.
    """
    everything = by_side_and_forest(observations)
    voice_forests = [forest for side, forest in everything if side == "lync"]
    if not everything or len(voice_forests) > 1:
        found = ", ".join(voice_forests) or "none"
        raise ProcessError(f"observations of lync in {found}; expected results of one voice forest at most")
    voice = ObservedVoice(everything["lync", voice_forests[0]], voice_forests[0]) if voice_forests else None
    messaging = [_ObservedMessaging(seen, forest) for (side, forest), seen in everything.items() if side == "exchange"]
    people = ObservedPeople({each.forest: each.seen for each in messaging}, voice)
    pools = voice.pools() if voice else ()
    fqdns = {pool.fqdn for pool in pools}
    plans = [plan for each in messaging for plan in each.dial_plans()]
    sections: Sections = {
        "name": next((name for each in messaging if (name := each.organization())), "Imported"),
        "directory": _DIRECTORY,
        "forests": _forests(everything, people),
        "messaging_servers": [said(server) for each in messaging for server in each.servers()],
        "voice_pools": [said(pool) for pool in pools],
        "um_dial_plans": [said(plan) for plan in plans],
        "um_mailbox_policies": [said(policy) for each in messaging for policy in each.policies()],
        "um_ip_gateways": [said(gateway) for each in messaging for gateway in each.plain_gateways(fqdns)],
        "um_auto_attendants": [said(a) for each in messaging for a in each.attendants()],
        **(voice.sections() if voice else {}),
        "contacts": [
            said(contact) for contact in people.contacts(plans, [a for e in messaging for a in e.attendants()])
        ],
        "organizational_units": people.organizational_units(),
        "users": [said(user) for user in people.users()],
        "administrators": list(_administrators(everything, people)),
    }
    unread = [
        f"{side} of {forest}: {name} was not read: {seen.section(name).unread}"
        for (side, forest), seen in everything.items()
        for name in dict.fromkeys(
            name for each in seen.observations for name in each.unread if can_read(each.shell, name)
        )
        if seen.section(name).unread
    ]
    notes = [note for each in messaging for note in each.notes] + (voice.notes if voice else []) + people.notes + unread
    notes.append(
        "certificate_authority (HOST\\NAME of the authority that certificates are requested from) is not observed: "
        "write it before phase 2"
    )
    return {key: value for key, value in sections.items() if value}, tuple(dict.fromkeys(notes))


def _forests(everything: dict[tuple[str, str], Seen], people: ObservedPeople) -> list[dict[str, object]]:
    names = list(dict.fromkeys(forest for _, forest in everything))
    trusting: dict[str, set[str]] = {name: set() for name in names}
    for seen in everything.values():
        for each in seen.section("Trust").objects:
            source, target = text(each, "Source").lower(), text(each, "Target").lower()
            way = text(each, "Direction").lower()
            if source in trusting and target in trusting:
                if way in ("outbound", "bidirectional"):
                    trusting[source].add(target)
                if way in ("inbound", "bidirectional"):
                    trusting[target].add(source)
    names_of = {
        forest: name
        for (side, forest), seen in everything.items()
        if side == "exchange" and (name := _ObservedMessaging(seen, forest).organization())
    }
    out = []
    for name in names:
        forest: dict[str, object] = {"name": name, "domains": [name, *sorted(people.domains(name) - {name})]}
        if trusting[name]:
            forest["trusts"] = sorted(trusting[name])
        if (own := names_of.get(name, "")) not in ("", next(iter(names_of.values()))):
            forest["messaging_organization_name"] = own
        out.append(forest)
    return out


class _ObservedMessaging:
    """What was seen of Exchange in one forest."""

    def __init__(self, seen: Seen, forest: str) -> None:
        self.seen, self.forest = seen, forest
        self.notes: list[str] = []
        self._plans = {text(each, "Name"): each for each in seen.section("UMDialPlan").objects}

    def organization(self) -> str:
        """The name of the Exchange organization."""
        return next((text(each, "Name") for each in self.seen.section("OrganizationConfig").objects), "")

    def servers(self) -> Iterator[m.DeclaredMessagingServer]:
        """Every server of a version that had UM."""
        for each in self.seen.section("ExchangeServer").objects:
            fqdn, (year, pack) = text(each, "Fqdn").lower(), version_of(text(each, "AdminDisplayVersion"))
            roles = tuple(_ROLES[role] for role in _ROLES if role in roles_seen(each))
            if year not in ("2007", "2010", "2013", "2016") or not roles:
                said_ = text(each, "AdminDisplayVersion") or "no version"
                self.notes.append(
                    f"Exchange server {fqdn}: {said_}, roles {', '.join(texts(each, 'ServerRole'))}: left out"
                )
                continue
            server = m.DeclaredMessagingServer(
                fqdn=fqdn,
                forest=self.forest,
                kind=ServerKind.EXCHANGE,
                version=year,
                service_pack=pack if year in ("2007", "2010") else 0,
            )
            everything = set(roles) == set(ROLES[generation(server)])
            yield m.DeclaredMessagingServer(
                fqdn=server.fqdn,
                forest=server.forest,
                kind=server.kind,
                version=year,
                service_pack=server.service_pack,
                roles=() if everything or year == "2016" else roles,
                dial_plans=self._dial_plans_of(fqdn, year),
            )

    def _dial_plans_of(self, fqdn: str, year: str) -> tuple[str, ...] | None:
        """Its dial plans; ``None`` where it is in every one that it can be in."""
        old = year in ("2007", "2010")
        rows = [
            found
            for name in (("UMServer",) if old else ("UMService", "UMCallRouterSettings"))
            if (found := self.seen.section(name).by("Fqdn").get(fqdn)) is not None
        ]
        if not rows:
            return ()
        held = {name.lower() for each in rows for name in texts(each, "DialPlans")}
        possible = [
            n for n, plan in self._plans.items() if old or text(plan, "URIType").lower() == UriType.SIP_NAME.lower()
        ]
        if held >= {name.lower() for name in possible}:
            return None
        return tuple(name for name in self._plans if name.lower() in held)

    def dial_plans(self) -> Iterator[m.DeclaredUMDialPlan]:
        """Every UM dial plan."""
        for name, each in self._plans.items():
            if text(each, "PhoneContext").lower() != f"{name}.{self.forest}".lower():
                self.notes.append(
                    f"UM dial plan {name}: phone context {text(each, 'PhoneContext')} is not {name}.{self.forest}"
                )
            country = text(each, "CountryOrRegionCode")
            yield m.DeclaredUMDialPlan(
                name=name,
                forest=self.forest,
                extension_digits=number_in(each, "NumberOfDigitsInExtension", 4),
                uri_type=_word(UriType, text(each, "URIType"), UriType.SIP_NAME),
                voip_security=_word(VoIPSecurity, text(each, "VoIPSecurity"), VoIPSecurity.UNSECURED),
                access_numbers=texts(each, "AccessTelephoneNumbers"),
                language=text(each, "DefaultLanguage") or "en-US",
                operator_extension=text(each, "OperatorExtension"),
                max_call_duration_min=number_in(each, "MaxCallDuration", 30),
                max_recording_duration_min=number_in(each, "MaxRecordingDuration", 20),
                recording_idle_timeout_s=number_in(each, "RecordingIdleTimeout", 5),
                **({"country_code": country} if country else {}),
            )

    def policies(self) -> Iterator[m.DeclaredUMMailboxPolicy]:
        """Every UM mailbox policy but the default ones that are as New-UMDialPlan makes them."""
        for each in self.seen.section("UMMailboxPolicy").objects:
            plan = next(
                (p for p in self._plans if p.lower() == text(each, "UMDialPlan").lower()), text(each, "UMDialPlan")
            )
            bare = m.DeclaredUMMailboxPolicy(name=text(each, "Name"), um_dial_plan=plan)
            policy = m.DeclaredUMMailboxPolicy(
                name=bare.name,
                um_dial_plan=plan,
                min_pin_length=number_in(each, "MinPINLength", bare.min_pin_length),
                pin_lifetime_days=number_in(each, "PINLifetime", bare.pin_lifetime_days),
                pin_history_count=number_in(each, "PINHistoryCount", bare.pin_history_count),
                logon_failures_before_pin_reset=number_in(
                    each, "LogonFailuresBeforePINReset", bare.logon_failures_before_pin_reset
                ),
                max_logon_attempts=number_in(each, "MaxLogonAttempts", bare.max_logon_attempts),
                allow_missed_call_notifications=each.get("AllowMissedCallNotifications") is not False,
                allow_message_waiting_indicator=each.get("AllowMessageWaitingIndicator") is not False,
                um_enabled_text=text(each, "UMEnabledText"),
                voice_mail_text=text(each, "VoiceMailText"),
            )
            if policy != bare or policy.name.lower() != _DEFAULT_POLICY.format(plan).lower():
                yield policy

    def attendants(self) -> Iterator[m.DeclaredUMAutoAttendant]:
        """Every UM auto attendant."""
        for each in self.seen.section("UMAutoAttendant").objects:
            yield m.DeclaredUMAutoAttendant(
                name=text(each, "Name"),
                um_dial_plan=text(each, "UMDialPlan"),
                pilot_identifiers=texts(each, "PilotIdentifierList"),
                enabled=text(each, "Status").lower() == "enabled",
                speech_enabled=each.get("SpeechEnabled") is True,
                language=text(each, "Language") or "en-US",
            )

    def plain_gateways(self, pools: set[str]) -> Iterator[m.DeclaredUMIPGateway]:
        """Gateways that are no pool's, with their hunt group."""
        groups: dict[str, list[ObservedObject]] = {}
        for group in self.seen.section("UMHuntGroup").objects:
            groups.setdefault(text(group, "UMIPGateway").lower(), []).append(group)
        for each in self.seen.section("UMIPGateway").objects:
            name, address = text(each, "Name"), text(each, "Address").lower()
            if address in pools:
                continue
            mine = groups.get(name.lower(), [])
            if len(mine) != 1:
                self.notes.append(
                    f"UM IP gateway {name} ({address}): {len(mine)} hunt groups, one is expected: left out"
                )
                continue
            self.notes.append(f"UM IP gateway {name}: its transport is not observed; tcp is assumed")
            yield m.DeclaredUMIPGateway(
                name=name,
                um_dial_plan=text(mine[0], "UMDialPlan"),
                address=address,
                pilot_identifier=text(mine[0], "PilotIdentifier"),
                port=number_in(each, "Port", 5060),
            )


Word = TypeVar("Word", bound=StrEnum)


def _word(words: type[Word], found: str, otherwise: Word) -> Word:
    """A word of the contract, in whatever case it was found."""
    return next((word for word in words if word.lower() == found.lower()), otherwise)


def _administrators(everything: dict[tuple[str, str], Seen], people: ObservedPeople) -> Iterator[dict[str, object]]:
    """Direct members of the groups that tasks need, but service accounts, and users, who are declared once."""
    known = {name.lower(): name for name in (*GROUPS["D"], *GROUPS["X"], *GROUPS["V"], *EXCHANGE_2007_GROUPS)}
    held: dict[tuple[str, str], list[str]] = {}
    for (_, forest), seen in everything.items():
        for each in seen.section("GroupMember").objects:
            name = known.get((text(each, "WellKnown") or text(each, "Group")).lower())
            for member in texts(each, "Members") if name and name not in SERVICE_GROUPS else ():
                account = member.rpartition("\\")[2]
                if not account.endswith("$") and account.lower() != INITIAL_ADMINISTRATOR and name:
                    groups = held.setdefault((forest, account), [])
                    groups += [name] if name not in groups else []
    groups_too = set(known)
    first = next((forest for _, forest in everything), "")
    users = people.accounts()
    for (forest, account), names in held.items():
        if account.lower() in groups_too:
            continue
        if account.lower() in users:
            people.notes.append(f"user {account}: also a member of {', '.join(names)}, which the file does not say")
            continue
        more = {} if forest == first else {"forest": forest}
        yield {"account": account, "display_name": account, "groups": names, **more}

"""Users and contacts of an organization file, from observations: Lync's users with the UM mailboxes that are theirs."""

from collections.abc import Iterator, Mapping, Sequence

from tandem.directory.dn import DN
from tandem.directory.errors import DirectoryError
from tandem.directory.layout import domain_of
from tandem.org import model as m
from tandem.org.numbers import EumAddress, number_of
from tandem.process.observing.comparing import bare_identity, removed
from tandem.process.observing.imported.voice import ObservedVoice
from tandem.process.observing.model import ObservedObject
from tandem.process.observing.seen import Seen, text, texts


class ObservedPeople:
    """Users by their SIP address, which EUM addresses of mailboxes name. ``messaging`` is what was seen by forest."""

    def __init__(self, messaging: Mapping[str, Seen], voice: ObservedVoice | None) -> None:
        self.notes: list[str] = []
        self._voice = voice
        self._mailboxes = {
            text(each, "PrimarySmtpAddress").lower(): (forest, each)
            for forest, seen in messaging.items()
            for each in seen.section("UMMailbox").objects
        }
        self._users = tuple(self._all())

    def users(self) -> tuple[m.DeclaredUser, ...]:
        """Everybody."""
        return self._users

    def accounts(self) -> set[str]:
        """Their accounts, in lower case."""
        return {user.account.lower() for user in self._users}

    def domains(self, forest: str) -> set[str]:
        """The domains of addresses of a forest's users and contacts."""
        mine = [user for user in self._users if user.forest == forest]
        found = {user.sip_address.rpartition("@")[2] for user in mine} | {u.mail.rpartition("@")[2] for u in mine}
        if self._voice is not None and self._voice.forest == forest:
            contacts = self._voice.seen.section("UMContact").objects
            found |= {text(each, "SipAddress").rpartition("@")[2] for each in contacts}
        return {domain.lower() for domain in found} - {""}

    def _all(self) -> Iterator[m.DeclaredUser]:
        by_sip: dict[str, tuple[str, ObservedObject]] = {}
        for forest, mailbox in self._mailboxes.values():
            for eum in filter(None, map(EumAddress.parse, texts(mailbox, "EmailAddresses"))):
                by_sip.setdefault(eum.address.lower(), (forest, mailbox))
        taken = set()
        for each in self._voice.seen.section("CsUser").objects if self._voice else ():
            sip = removed(text(each, "SipAddress"), "sip:").lower()
            _, mailbox = by_sip.get(sip, ("", {}))
            taken.add(text(mailbox, "PrimarySmtpAddress").lower())
            yield self._user(each, sip, mailbox)
        if self._voice is not None:
            self.notes.append("users: their OUs are not observed; CN=Users is assumed")
        for mail, (forest, mailbox) in self._mailboxes.items():
            if mail not in taken:
                self.notes.append(
                    f"UM mailbox {mail}: no user of Lync; its account is not observed, {mail.partition('@')[0]} is assumed"
                )
                yield self._mailbox_only(mail, forest, mailbox)

    def _user(self, found: ObservedObject, sip: str, mailbox: ObservedObject) -> m.DeclaredUser:
        assert self._voice is not None
        account = text(found, "SamAccountName")
        return m.DeclaredUser(
            account=account,
            display_name=text(found, "DisplayName") or account,
            forest=self._voice.forest,
            ou=str(domain_of(self._voice.forest).child("CN", "Users")),
            mail=text(mailbox, "PrimarySmtpAddress").lower(),
            sip_address=sip,
            pool=text(found, "RegistrarPool").lower(),
            line_uri=text(found, "LineURI") if found.get("EnterpriseVoiceEnabled") is True else "",
            extension=next(iter(texts(mailbox, "Extensions")), ""),
            um_mailbox_policy=text(mailbox, "UMMailboxPolicy"),
            voice_dial_plan=bare_identity(text(found, "DialPlan")),
            voice_policy=bare_identity(text(found, "VoicePolicy")),
        )

    def _mailbox_only(self, mail: str, forest: str, mailbox: ObservedObject) -> m.DeclaredUser:
        account = mail.partition("@")[0]
        return m.DeclaredUser(
            account=account,
            display_name=account,
            forest=forest,
            ou=str(domain_of(forest).child("CN", "Users")),
            mail=mail,
            extension=next(iter(texts(mailbox, "Extensions")), ""),
            um_mailbox_policy=text(mailbox, "UMMailboxPolicy"),
        )

    def contacts(
        self, plans: Sequence[m.DeclaredUMDialPlan], attendants: Sequence[m.DeclaredUMAutoAttendant]
    ) -> Iterator[m.DeclaredContact]:
        """Each for the UM object that has its number: what otherIpPhone says has no public form (docs/adr/0004)."""
        numbers = {number_of(n): (plan.name, "") for plan in plans for n in plan.access_numbers}
        numbers |= {number_of(n): (a.um_dial_plan, a.name) for a in attendants for n in a.pilot_identifiers}
        for each in self._voice.seen.section("UMContact").objects if self._voice else ():
            sip, number = removed(text(each, "SipAddress"), "sip:"), number_of(text(each, "LineURI"))
            place = _parent(text(each, "DistinguishedName"))
            if number not in numbers or not place:
                why = f"its number {number or '-'} is none of UM's" if place else "its DN was not read"
                self.notes.append(f"contact {text(each, 'DisplayName') or sip}: {why}: left out")
                continue
            plan, attendant = numbers[number]
            yield m.DeclaredContact(
                display_name=text(each, "DisplayName"),
                sip_address=sip,
                um_dial_plan=plan,
                number=number,
                pool=text(each, "RegistrarPool").lower(),
                ou=place,
                auto_attendant=attendant,
            )

    def organizational_units(self) -> list[str]:
        """The OUs of the contacts."""
        contacts = self._voice.seen.section("UMContact").objects if self._voice else ()
        found = {_parent(text(each, "DistinguishedName")) for each in contacts}
        return sorted(place for place in found if place.upper().startswith("OU="))


def _parent(name: str) -> str:
    try:
        return str(DN.parse(name).parent)
    except (DirectoryError, ValueError):
        return ""

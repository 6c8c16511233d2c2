"""Live checks, in both directions: each UM server and each pool by TLS with the name checked, a call to each UM server in
each dial plan, and for each dial plan a message that a user leaves for another, whose phone then shows message waiting.

What comes of these calls in mailboxes is deleted again. Secrets are read with the voice server's account.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from tandem.call.errors import CallFailed
from tandem.directory import objects as o
from tandem.mail.errors import MailError
from tandem.mail.port import MailStore
from tandem.org.vocabulary import PoolKind, UriType, VoIPSecurity
from tandem.pki.store import CertificateStore
from tandem.pki.tls import client_context, phone_tls_context
from tandem.probe.errors import PhoneError
from tandem.probe.live import Outcome, ask_options
from tandem.probe.phone import Account, Phone
from tandem.process.task import Context
from tandem.process.verify.arrivals import Cleaner
from tandem.process.verify.matrix import Check, check
from tandem.sip.aio.resolve import Resolver
from tandem.sip.headers.diversion import Diversion, Reason
from tandem.sip.headers.uri import URI
from tandem.sip.sdp.offer import Encryption
from tandem.speech.samples.recorded import bob_message

ARRIVES_S = 20.0
"""How long a message and its MWI may take."""
TONE_S = 40.0
SecretOf = Callable[[o.User], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What the live checks work with; ``caller`` and ``called`` (SIP addresses) replace the users that are chosen."""

    context: Context
    resolver: Resolver
    secret_of: SecretOf
    mail: MailStore
    caller: str = ""
    called: str = ""
    _cleaner: Cleaner = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_cleaner", Cleaner(mail=self.mail))

    async def checks(self) -> AsyncIterator[Check]:
        """Every live check, as it ends."""
        voice = self.context.at(self.context.organization.voice_forest).repository
        pools = [pool for pool in voice.all(o.VoicePool) if pool.kind is PoolKind.TANDEM]
        for pool in pools:
            roots = self._store(pool.fqdn).roots
            outcome = await ask_options(phone_tls_context(roots), pool.fqdn, pool.sip_tls_port, self.resolver)
            yield _check(f"{pool.fqdn} answers phones", outcome, 0, "is the voice server running, and reachable here?")
        for forest in self.context.organization.messaging_forests:
            repository = self.context.at(forest).repository
            plans = {plan.name: plan for plan in repository.all(o.UMDialPlan) if _callable(plan)}
            for server in repository.all(o.MessagingServer):
                for pool in pools:
                    async for each in self._pair(server, pool, plans):
                        yield each
            for plan in plans.values():
                for pool in pools:
                    if users := self._users(pool, plan):
                        yield await self._message(pool, plan, *users)
        removed = await self._cleaner.remove(ARRIVES_S)
        said = f"{removed.count} deleted (calls from verify@POOL, and the messages left above)"
        yield check("Mails of these checks are gone", removed.wrong, said, 11, "look into the mailbox", warn=True)

    async def _pair(
        self, server: o.MessagingServer, pool: o.VoicePool, plans: dict[str, o.UMDialPlan]
    ) -> AsyncIterator[Check]:
        there = await ask_options(
            client_context(self._store(pool.fqdn)), server.fqdn, server.sip_tls_port, self.resolver
        )
        advice = "is the UM server running, and is the pool its gateway (phase 7)?"
        yield _check(f"{server.fqdn} answers {pool.fqdn}", there, 7, advice)
        back = await ask_options(client_context(self._store(server.fqdn)), pool.fqdn, pool.sip_tls_port, self.resolver)
        advice = "is the UM server in a dial plan (phase 5), and its certificate trusted (phase 2)?"
        yield _check(f"{pool.fqdn} answers {server.fqdn}", back, 5, advice)
        for name in server.dial_plans:
            if name in plans and not there.wrong and (users := self._users(pool, plans[name])):
                yield await self._call(server, pool, plans[name], users[1])

    def _missed_calls_are_told(self, user: o.User) -> bool:
        forests = [self.context.at(forest).repository for forest in self.context.organization.messaging_forests]
        policies = {policy.name: policy for repository in forests for policy in repository.all(o.UMMailboxPolicy)}
        policy = policies.get(user.um_mailbox_policy)
        return policy is None or policy.allow_missed_call_notifications

    def _store(self, fqdn: str) -> CertificateStore:
        return CertificateStore(folder=self.context.pki / fqdn)

    def _users(self, pool: o.VoicePool, plan: o.UMDialPlan) -> tuple[o.User, o.User] | None:
        """Who calls, and who is called: two users of a pool, the second with a mailbox in the dial plan."""
        everyone = self.context.at(self.context.organization.voice_forest).repository.all(o.User)
        mine = [u for u in everyone if u.home_pool == pool.fqdn and u.sip_enabled]
        called = [u for u in mine if u.um_enabled and u.um_dial_plan == plan.name and _named(u, self.called)]
        caller = [u for u in mine if u not in called[:1] and _named(u, self.caller)]
        return (caller[0], called[0]) if called and caller else None

    async def _call(self, server: o.MessagingServer, pool: o.VoicePool, plan: o.UMDialPlan, called: o.User) -> Check:
        """Call a UM server as the pool does, for a user; hang up at the greeting."""
        account = Account(address=f"verify@{pool.fqdn}", secret="", pool=server.fqdn, port=server.sip_tls_port)
        context = client_context(self._store(pool.fqdn))
        phone = Phone(account, context, resolver=self.resolver, encryption=_encryption(plan))
        name, _, domain = called.bare_sip_address.partition("@")
        header = Diversion(uri=URI(scheme="sip", user=name, host=domain), reason=Reason.NO_ANSWER).value()
        try:
            uri = f"{plan.name}@{server.fqdn}:{server.sip_tls_port};transport=tls"
            call = await phone.call(uri, headers=[("Diversion", header)])
            media = "SRTP" if call.leg.secure else "RTP"
            if self._missed_calls_are_told(called):
                self._cleaner.expect(called.mail, call.leg.dialog.call_id)
            await asyncio.sleep(0.5)
            heard = len(call.heard)
            await call.hang_up()
            said = f"answered over {media}, {heard // 16} ms of greeting heard in half a second"
            outcome = Outcome(evidence=said, wrong="" if heard else f"answered over {media}, and silent")
        except (PhoneError, CallFailed, OSError, TimeoutError) as error:
            outcome = Outcome(evidence="", wrong=str(error) or type(error).__name__)
        finally:
            await phone.close()
        advice = "the dial plan's security has to fit the pool's (phase 4), and the user be in it (phases 6 and 11)"
        return _check(f"{server.fqdn} answers for {plan.name}", outcome, 5, advice)

    async def _message(self, pool: o.VoicePool, plan: o.UMDialPlan, caller: o.User, called: o.User) -> Check:
        """One user leaves a message for another, whose phone shows message waiting (MWI); then the message is deleted."""
        phones = self._phone(pool, caller, _encryption(plan)), self._phone(pool, called, Encryption.PREFER)
        try:
            outcome = await self._leave(*phones, called.mail)
        except (PhoneError, CallFailed, MailError, OSError, TimeoutError) as error:
            outcome = Outcome(evidence="", wrong=f"{caller.bare_sip_address} called {called.bare_sip_address}: {error}")
        finally:
            for phone in phones:
                await _leave_quietly(phone)
        advice = "see this call by 'tandem trace' and in the servers' logs"
        return _check(
            f"A message for {called.bare_sip_address} in {plan.name} arrives, and MWI is shown", outcome, 11, advice
        )

    async def _leave(self, caller: Phone, called: Phone, mail: str) -> Outcome:
        await caller.register()
        await called.register()
        await called.subscribe_mwi()
        before = called.mwi.new
        call = await caller.call(called.account.address)
        arrivals = self._cleaner.expect(mail, call.leg.dialog.call_id)
        await call.wait_for_tone(timeout_s=TONE_S)
        await call.speak(bob_message())
        await call.hang_up()
        async with asyncio.timeout(ARRIVES_S):
            await arrivals.wait()
        mwi = await called.wait_mwi(lambda summary: summary.waiting and summary.new > before, timeout_s=ARRIVES_S)
        said = f"{caller.account.address} left a message, it is in the mailbox, MWI shows {mwi.new} new"
        return Outcome(evidence=said)

    def _phone(self, pool: o.VoicePool, user: o.User, encryption: Encryption) -> Phone:
        account = Account(
            address=user.bare_sip_address, secret=self.secret_of(user), pool=pool.fqdn, port=pool.sip_tls_port
        )
        context = phone_tls_context(self._store(pool.fqdn).roots)
        return Phone(account, context, resolver=self.resolver, encryption=encryption)


async def _leave_quietly(phone: Phone) -> None:
    try:
        await phone.register(expires_s=0)
    except (PhoneError, OSError, TimeoutError):
        pass  # it never got as far as to register
    finally:
        await phone.close()


def _check(name: str, outcome: Outcome, number: int, advice: str) -> Check:
    return check(name, outcome.wrong, outcome.evidence, number, advice)


def _callable(plan: o.UMDialPlan) -> bool:
    return plan.uri_type == UriType.SIP_NAME and plan.voip_security != VoIPSecurity.UNSECURED


def _encryption(plan: o.UMDialPlan) -> Encryption:
    return Encryption.REQUIRE if plan.voip_security is VoIPSecurity.SECURED else Encryption.REFUSE


def _named(user: o.User, wanted: str) -> bool:
    return not wanted or user.bare_sip_address.lower() == wanted.lower()

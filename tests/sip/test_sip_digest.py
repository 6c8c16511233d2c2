from dataclasses import replace

import pytest

from tandem.sip.errors import MalformedMessage
from tandem.sip.headers.auth import MAX_LENGTH, MAX_PARAMETERS, digest_parameters
from tandem.sip.headers.digest import (
    Challenger,
    Credentials,
    Verdict,
    answer,
    digest_response,
    is_stale,
    parse_credentials,
)


def test_the_example_of_rfc_7616_is_computed() -> None:
    credentials = Credentials(
        username="Mufasa",
        realm="http-auth@example.org",
        nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        uri="/dir/index.html",
        response="",
        algorithm="SHA-256",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        nc="00000001",
    )
    assert (
        digest_response(credentials, secret="Circle of Life", method="GET")
        == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    )


def _answered(challenger: Challenger, secret: str, now: float = 1.0, nc: int = 1) -> Credentials:
    value = answer(
        challenger.challenges(now),
        username="alice",
        secret=secret,
        method="REGISTER",
        uri="sip:example.com",
        cnonce="c",
        nc=nc,
    )
    assert value is not None
    return parse_credentials(value)


def test_the_right_secret_is_accepted_once_per_count() -> None:
    challenger = Challenger("example.com", ["SHA-256", "MD5"], b"key")
    credentials = _answered(challenger, "s3cret")
    assert credentials.algorithm == "SHA-256"
    assert challenger.verify(credentials, secret="s3cret", method="REGISTER", now=2.0) is Verdict.ACCEPTED
    assert challenger.verify(credentials, secret="s3cret", method="REGISTER", now=2.0) is Verdict.STALE


def test_a_wrong_secret_or_method_is_refused() -> None:
    challenger = Challenger("example.com", ["MD5"], b"key")
    credentials = _answered(challenger, "s3cret")
    assert challenger.verify(credentials, secret="other", method="REGISTER", now=2.0) is Verdict.WRONG
    assert challenger.verify(credentials, secret="s3cret", method="INVITE", now=2.0) is Verdict.WRONG


def test_an_old_nonce_and_one_of_another_key_are_stale() -> None:
    challenger = Challenger("example.com", ["MD5"], b"key")
    old = _answered(challenger, "s3cret")
    assert challenger.verify(old, secret="s3cret", method="REGISTER", now=1000.0) is Verdict.STALE
    other = _answered(Challenger("example.com", ["MD5"], b"other"), "s3cret")
    assert challenger.verify(other, secret="s3cret", method="REGISTER", now=2.0) is Verdict.STALE


def test_a_wrong_answer_counts_only_with_a_nonce_that_was_sent_to_its_source() -> None:
    challenger = Challenger("example.com", ["MD5"], b"key")
    (value,) = challenger.challenges(1.0, source="192.0.2.1")
    written = answer([value], username="alice", secret="guess", method="REGISTER", uri="sip:example.com", cnonce="c")
    guess = parse_credentials(written or "")

    def verdict(credentials: Credentials, *, source: str = "192.0.2.1", now: float = 2.0) -> Verdict:
        return challenger.verify(credentials, secret="s3cret", method="REGISTER", now=now, source=source)

    assert verdict(guess) is Verdict.WRONG
    # RFC 7616 §3.3: stale=true for any nonce that is invalid, so that a phone whose address changed asks nobody for a secret.
    assert verdict(guess, source="192.0.2.9") is Verdict.STALE
    assert verdict(guess, now=1000.0) is Verdict.STALE
    assert verdict(replace(guess, nonce="made-up")) is Verdict.STALE
    assert verdict(replace(guess, nonce="made-up", algorithm="SHA-256", realm="other")) is Verdict.STALE


def test_an_algorithm_that_is_not_offered_is_refused() -> None:
    credentials = _answered(Challenger("example.com", ["MD5"], b"key"), "s3cret")
    strict = Challenger("example.com", ["SHA-256"], b"key")
    assert strict.verify(credentials, secret="s3cret", method="REGISTER", now=2.0) is Verdict.WRONG


def _with(parameters: str) -> str:
    return (
        f'Digest username="bob", realm="x", nonce="n", uri="sip:x", response="AB", cnonce="c", nc=00000001{parameters}'
    )


@pytest.mark.parametrize(
    "value",
    [
        _with(""),
        _with(","),
        _with(" , ,, "),
        _with(", algorithm=md5"),
        _with(', opaque=""'),
        _with(", opaque="),
        'DIGEST Username="bob",REALM="x",Nonce="n",URI="sip:x",Response="ab",CNONCE="c",NC=00000001',
        'Digest username="bob" ,\trealm = "x" ,nonce="n",uri=sip:x,response=ab,cnonce=c,qop="auth",nc="00000001"',
        'Digest ,username="b\\ob",realm="x",nonce="n",uri="sip:x",response="ab",cnonce="c",nc=00000001',
    ],
)
def test_credentials_are_read_as_phones_write_them(value: str) -> None:
    assert parse_credentials(value) == Credentials(
        username="bob",
        realm="x",
        nonce="n",
        uri="sip:x",
        response="ab",
        algorithm="MD5",
        cnonce="c",
        nc="00000001",
    )


def test_commas_and_quotes_within_quotes_belong_to_the_value() -> None:
    read = digest_parameters('Digest username="Roe, Bob", uri="sip:a,b=c@x", realm="a\\", b", opaque="\\\\",qop=auth')
    assert dict(read) == {
        "username": "Roe, Bob",
        "uri": "sip:a,b=c@x",
        "realm": 'a", b',
        "opaque": "\\",
        "qop": "auth",
    }


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "only Digest"),
        ("Basic Ym9iOnNlY3JldA==", "only Digest"),
        ('Digestusername="bob"', "only Digest"),
        ("Digest", "no nc"),
        ("Digest username", "not a parameter"),
        ('Digest username="bob" realm="x"', "not a parameter"),
        ('Digest username="bob', "not a parameter"),
        ('Digest a=b"c"', "not a parameter"),
        (_with(', UserName="eve"'), "twice"),
        (_with("").replace("nc=00000001", "nc=x"), "nonce count"),
        (_with("").replace("nc=00000001", "nc=000000001"), "nonce count"),
        (_with("".join(f", a{n}=1" for n in range(MAX_PARAMETERS))), f"more than {MAX_PARAMETERS}"),
        (_with(', opaque="' + "x" * MAX_LENGTH + '"'), f"at most {MAX_LENGTH}"),
        ('Digest a="b",' * 40, "not a parameter"),
        ("Digest " + 'a="b",' * 40, "twice"),
    ],
)
def test_what_is_no_authentication_of_ours_is_refused(value: str, why: str) -> None:
    with pytest.raises(MalformedMessage, match=why):
        parse_credentials(value)


def test_a_challenge_is_stale_only_where_it_says_so() -> None:
    assert is_stale('Digest realm="x", nonce="n", STALE=True')
    assert is_stale('Digest realm="x", nonce="n", stale="true"')
    assert not is_stale('Digest realm="stale=true", nonce="n"')
    assert not is_stale("stale=true")


def test_a_nonce_counts_for_every_cnonce() -> None:
    challenger = Challenger("example.com", ["MD5"], b"key")
    first = _answered(challenger, "s3cret")
    again = replace(first, cnonce="other")
    again = replace(again, response=digest_response(again, secret="s3cret", method="REGISTER"))
    assert challenger.verify(first, secret="s3cret", method="REGISTER", now=2.0) is Verdict.ACCEPTED
    assert challenger.verify(again, secret="s3cret", method="REGISTER", now=2.0) is Verdict.STALE


def test_two_phones_that_are_challenged_at_once_count_for_themselves() -> None:
    challenger = Challenger("example.com", ["MD5"], b"key")
    for credentials in (_answered(challenger, "s3cret"), _answered(challenger, "s3cret")):
        assert challenger.verify(credentials, secret="s3cret", method="REGISTER", now=2.0) is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("uri", "request_uri", "same"),
    [
        ("sip:example.com", "sip:example.com", True),
        ("sip:Example.COM:5061", "sip:example.com;transport=tls", True),
        ("sips:bob@example.com", "sip:bob@example.com", True),
        ("tel:+1-425", "tel:+1-425", True),
        ("urn:service:sos", "urn:service:sos", True),
        ("sip:evil.com", "sip:example.com", False),
        ("sip:bob@example.com", "sip:alice@example.com", False),
        ("sip:bob@example.com", "sip:Bob@example.com", False),
        ("tel:+1", "tel:+2", False),
        ("/", "sip:example.com", False),
    ],
)
def test_a_digest_is_for_what_is_asked_for(uri: str, request_uri: str, same: bool) -> None:
    assert replace(parse_credentials(_with("")), uri=uri).is_for(request_uri) is same


def test_a_client_that_gives_up_on_sha_256_is_offered_md5_alone_where_that_is_allowed() -> None:
    both = Challenger("example.com", ("SHA-256", "MD5"), b"k" * 32)
    assert ["SHA-256" in each for each in both.challenges(0.0)] == [True, False]
    for old in ("baresip v1.0.0 (x86_64/linux)", "baresip v3.1.0 (x86_64/Linux)", "baresip v3.10.1 (x86_64/Linux)"):
        (only,) = both.challenges(0.0, agent=old)
        assert "algorithm=MD5" in only
    assert len(both.challenges(0.0, agent="baresip v3.12.0 (x86_64/Linux)")) == 2
    (strict,) = Challenger("example.com", ("SHA-256",), b"k" * 32).challenges(0.0, agent="baresip v1.0.0")
    assert "algorithm=SHA-256" in strict

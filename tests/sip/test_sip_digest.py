from tandem.sip.headers.digest import Challenger, Credentials, Verdict, answer, digest_response, parse_credentials


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


def test_an_algorithm_that_is_not_offered_is_refused() -> None:
    credentials = _answered(Challenger("example.com", ["MD5"], b"key"), "s3cret")
    strict = Challenger("example.com", ["SHA-256"], b"key")
    assert strict.verify(credentials, secret="s3cret", method="REGISTER", now=2.0) is Verdict.WRONG

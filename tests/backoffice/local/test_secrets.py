"""The secrets that `make run` makes where nobody has set any."""

from backoffice.local.secrets import kept_secrets, new_secrets


def test_secrets_are_made_once_and_private(tmp_path):
    first, second = kept_secrets(tmp_path), kept_secrets(tmp_path)

    assert first == second
    assert first.keys() == new_secrets().keys()
    assert (tmp_path / "secrets.env").stat().st_mode & 0o777 == 0o600


def test_a_secret_that_is_new_joins_those_that_are_kept(tmp_path):
    (tmp_path / "secrets.env").write_text("EVENT_HMAC_KEYS=kept=\n")

    secrets = kept_secrets(tmp_path)

    assert secrets["EVENT_HMAC_KEYS"] == "kept="
    assert secrets["DJANGO_SECRET_KEY"]


def test_the_one_key_of_before_goes_on_verifying_what_it_sealed(tmp_path):
    (tmp_path / "secrets.env").write_text("EVENT_HMAC_KEY=kept=\n")

    first, second = kept_secrets(tmp_path), kept_secrets(tmp_path)

    assert first == second
    assert (first["EVENT_HMAC_KEYS"], first["INDEX_KEY"]) == ("kept=", "kept=")
    assert "EVENT_HMAC_KEY" not in first

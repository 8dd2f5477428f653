"""TLS and SASL of the clients; what Admin does with users, access and tokens: against Apache Kafka 4.3.1."""

import asyncio
import base64
import contextlib
import http.server
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import barnabas
import barnabas.aio
from barnabas.admin import (
    AclBinding,
    AclFilter,
    AclOperation,
    AclResourceType,
    QuotaEntity,
    QuotaFilter,
    ScramMechanism,
)
from barnabas.errors import (
    BarnabasError,
    ClientTimeout,
    SaslAuthenticationFailed,
    TlsFailed,
)
from tests.integration.clients.topics import soon
from tests.support.certificates import Authority
from tests.support.oracle import apache_kafka, free_port

pytestmark = [pytest.mark.oracle, pytest.mark.slow]

SESSION_MS = 2_000
"""After this a broker wants to be told again who a client is."""


class Secured(NamedTuple):
    """Addresses of one node by listener, and the files that fit."""

    addresses: dict[str, str]
    authority: Authority

    def configs(self, listener: str, **more: Any) -> dict[str, Any]:
        """For a client of a listener."""
        protocol = "SSL" if listener == "MTLS" else listener
        configs: dict[str, Any] = {
            "bootstrap.servers": self.addresses[listener],
            "security.protocol": protocol,
            "default.api.timeout.ms": 10_000,
        }
        if protocol.endswith("SSL"):
            configs["ssl.truststore.location"] = str(self.authority.certificate)
        return configs | {name.replace("_", "."): value for name, value in more.items()}

    def admin(self, listener: str, **more: Any) -> barnabas.Admin:
        return barnabas.Admin(self.configs(listener, **more))


def user(mechanism: str = "PLAIN", password: str = "secret") -> dict[str, str]:
    return {"sasl_mechanism": mechanism, "sasl_username": "alice", "sasl_password": password}


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    directory = tmp_path_factory.mktemp("certificates")
    authority = Authority(directory)
    names = ("PLAINTEXT", "SSL", "MTLS", "SASL_PLAINTEXT", "SASL_SSL")
    addresses = {name: f"localhost:{free_port()}" for name in names}
    listeners = ",".join(f"{name}://{address}" for name, address in addresses.items())
    controller = f"localhost:{free_port()}"
    modules = "org.apache.kafka.common.security"
    jaas = {
        "plain": f'{modules}.plain.PlainLoginModule required user_alice="secret";',
        "scram-sha-256": f"{modules}.scram.ScramLoginModule required;",
        "scram-sha-512": f"{modules}.scram.ScramLoginModule required;",
        "oauthbearer": f"{modules}.oauthbearer.OAuthBearerLoginModule required "
        'unsecuredLoginStringClaim_sub="broker";',
    }
    settings = {
        "listeners": f"{listeners},CONTROLLER://{controller}",
        "advertised.listeners": listeners,
        "controller.quorum.bootstrap.servers": controller,
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,MTLS:SSL,"
        "SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
        "inter.broker.listener.name": "PLAINTEXT",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(authority.store("server")),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.certificate),
        "listener.name.mtls.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        "listener.name.sasl_plaintext.connections.max.reauth.ms": str(SESSION_MS),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:alice",
        "delegation.token.secret.key": "a key",
    }
    for listener in ("sasl_plaintext", "sasl_ssl"):
        for mechanism, line in jaas.items():
            settings[f"listener.name.{listener}.{mechanism}.sasl.jaas.config"] = line
    with apache_kafka(settings, port=int(addresses["PLAINTEXT"].rpartition(":")[2])):
        secured = Secured(addresses, authority)
        with secured.admin("PLAINTEXT") as admin:
            passwords: Any = {ScramMechanism.SCRAM_SHA_256: "secret", ScramMechanism.SCRAM_SHA_512: "secret"}
            admin.alter_user_scram_credentials({"alice": passwords})
            admin.create_topics("greetings")
            stored = {ScramMechanism.SCRAM_SHA_256: 8192, ScramMechanism.SCRAM_SHA_512: 8192}
            assert soon(lambda: dict(admin.describe_user_scram_credentials()) == {"alice": stored})
            assert soon(lambda: "greetings" in admin.list_topics())
        yield secured


def test_all_clients_speak_tls(secured: Secured) -> None:
    configs = secured.configs("SSL")
    del configs["default.api.timeout.ms"]
    value = b"x" * 300_000  # More than TLS puts into a record, or the engine reads at once.
    with barnabas.Producer(configs) as producer:
        for _ in range(10):
            producer.produce("greetings", value)
    with barnabas.Consumer(configs, auto_offset_reset="earliest") as consumer:
        consumer.assign_topic("greetings")
        records = []
        while len(records) < 10:
            records += consumer.poll(10.0)
    assert {record.value for record in records} == {value}
    with secured.admin("SSL") as admin:
        assert "greetings" in admin.list_topics()


@pytest.mark.parametrize("protocol", ["TLSv1.2", "TLSv1.3"])
def test_a_certificate_tells_who_a_client_is(secured: Secured, protocol: str) -> None:
    store = secured.authority.store("client")
    more = {"ssl_keystore_location": str(store), "ssl_enabled_protocols": protocol}
    with secured.admin("MTLS", **more) as admin:
        assert admin.describe_cluster().nodes[0].id == 1
    with (
        secured.admin("MTLS", ssl_enabled_protocols=protocol) as admin,
        pytest.raises(TlsFailed, match=r"ssl\.keystore\.location"),
    ):
        admin.describe_cluster()


def test_who_is_not_trusted_is_not_talked_to(secured: Secured, tmp_path: Path) -> None:
    other = Authority(tmp_path, "somebody-else")
    with (
        secured.admin("SSL", ssl_truststore_location=str(other.certificate)) as admin,
        pytest.raises(TlsFailed, match=r"localhost:\d+: .* not signed by one that is trusted"),
    ):
        admin.describe_cluster()
    with (
        secured.admin("SSL", ssl_truststore_location=None) as admin,
        pytest.raises(TlsFailed, match="not signed by one that is trusted"),
    ):
        admin.describe_cluster()


def test_a_certificate_is_for_a_name_unless_that_does_not_matter(secured: Secured) -> None:
    configs = secured.configs("SSL")
    configs["bootstrap.servers"] = configs["bootstrap.servers"].replace("localhost", "127.0.0.2")
    with barnabas.Admin(configs) as admin, pytest.raises((TlsFailed, ClientTimeout)):
        admin.with_options(timeout=3.0).describe_cluster()
    configs = secured.configs("SSL", ssl_endpoint_identification_algorithm="")
    with barnabas.Admin(configs) as admin:
        assert admin.describe_cluster().nodes


def test_the_wrong_protocol_is_told_and_not_waited_for(secured: Secured) -> None:
    configs = {"bootstrap.servers": secured.addresses["SSL"]}
    with barnabas.Admin(configs) as admin, pytest.raises((TlsFailed, ClientTimeout)) as caught:
        admin.with_options(timeout=3.0).describe_cluster()
    assert "TLS" in str(caught.value) or "closed the connection" in str(caught.value)
    configs = secured.configs("SSL") | {"bootstrap.servers": secured.addresses["PLAINTEXT"]}
    with barnabas.Admin(configs) as admin, pytest.raises((TlsFailed, ClientTimeout), match="TLS"):
        admin.with_options(timeout=3.0).describe_cluster()


@pytest.fixture
def resetting() -> Iterator[str]:
    """The address of somebody who hangs up at once, so that what is written to him is answered by a reset."""
    with socket.create_server(("localhost", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken, _ = listener.accept()
                    taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    taken.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"localhost:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    ("protocol", "said"), [("SSL", "during the TLS handshake"), ("PLAINTEXT", "closed the connection")]
)
def test_who_hangs_up_is_told_the_same_however_it_comes(
    secured: Secured, resetting: str, protocol: str, said: str
) -> None:
    configs = secured.configs(protocol) | {"bootstrap.servers": resetting}
    with barnabas.Admin(configs) as admin, pytest.raises(ClientTimeout, match=said):
        admin.with_options(timeout=1.0).describe_cluster()


@pytest.mark.parametrize("listener", ["SASL_PLAINTEXT", "SASL_SSL"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_password_lets_a_client_in_and_a_wrong_one_does_not(
    secured: Secured, listener: str, mechanism: str
) -> None:
    with secured.admin(listener, **user(mechanism)) as admin:
        assert "greetings" in admin.list_topics()
    # Who waited for this time-out would wait longer than a test may take.
    guessed: dict[str, Any] = {**user(mechanism, "guessed"), "default_api_timeout_ms": 3_600_000}
    with (
        secured.admin(listener, **guessed) as admin,
        pytest.raises(SaslAuthenticationFailed, match=r"localhost:\d+: Authentication failed"),
    ):
        admin.list_topics()


def test_who_reads_is_told_at_once_that_it_is_not_let_in(secured: Secured, tmp_path: Path) -> None:
    other = Authority(tmp_path, "somebody-else")
    refused: list[tuple[dict[str, Any], type[BarnabasError]]] = [
        (secured.configs("SASL_PLAINTEXT", **user(password="guessed")), SaslAuthenticationFailed),
        (secured.configs("SSL", ssl_truststore_location=str(other.certificate)), TlsFailed),
    ]
    for configs, error in refused:
        with barnabas.Consumer(configs, group_id="strangers") as member:
            member.subscribe("greetings")
            with pytest.raises(error):
                member.poll(60)
            with pytest.raises(error):
                member.committed([("greetings", 0)])
        with barnabas.Consumer(configs) as reader:
            reader.assign([("greetings", 0)])
            with pytest.raises(error):
                reader.poll(60)
            with pytest.raises(error):
                reader.end_offset("greetings", 0)
            with pytest.raises(error):
                reader.partitions_for("greetings")
        with pytest.raises(error):
            asyncio.run(_poll(configs))


async def _poll(configs: dict[str, Any]) -> None:
    async with barnabas.aio.Consumer(configs) as reader:
        reader.assign([("greetings", 0)])
        await reader.poll(60)


def test_name_and_password_may_stand_where_javas_clients_have_them(secured: Secured) -> None:
    jaas = (
        'org.apache.kafka.common.security.plain.PlainLoginModule required username="alice" password="secret";'
    )
    with secured.admin("SASL_SSL", sasl_mechanism="PLAIN", sasl_jaas_config=jaas) as admin:
        assert admin.describe_cluster().nodes


def bearer(subject: str, seconds: float) -> str:
    """A token that is not signed, which the oracle takes by default."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    now = time.time()
    return f"{part({'alg': 'none'})}.{part({'sub': subject, 'iat': now, 'exp': now + seconds})}."


def test_a_token_is_asked_for_and_shown_again_when_the_session_ends(secured: Secured) -> None:
    given = []

    def provider() -> str:
        given.append(bearer("alice", 60 if given else 2.5))
        return given[-1]

    more: dict[str, Any] = {"sasl_mechanism": "OAUTHBEARER", "sasl_oauthbearer_token": provider}
    with secured.admin("SASL_PLAINTEXT", **more) as admin:
        end = time.monotonic() + 2 * SESSION_MS / 1000
        while time.monotonic() < end:  # A broker ends the connection of one whose session is over.
            assert admin.describe_cluster().nodes
            time.sleep(0.02)
    assert len(given) >= 2
    with (
        secured.admin("SASL_SSL", sasl_mechanism="OAUTHBEARER", sasl_oauthbearer_token="nonsense") as admin,
        pytest.raises(SaslAuthenticationFailed),
    ):
        admin.describe_cluster()


@contextlib.contextmanager
def issuer() -> Iterator[tuple[str, list[str]]]:
    """An OAuth server that gives tokens to one client; its address, and what it was asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            known = self.headers["Authorization"] == "Basic " + base64.b64encode(b"me:hush").decode()
            body = json.dumps({"access_token": bearer("alice", 60), "expires_in": 60}).encode()
            self.send_response(200 if known else 401)
            self.end_headers()
            self.wfile.write(body if known else b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/token", asked
        finally:
            server.shutdown()
            thread.join()


def test_tokens_come_from_an_issuer(secured: Secured) -> None:
    with issuer() as (url, asked):
        configs = secured.configs("SASL_SSL") | {
            "sasl.mechanism": "OAUTHBEARER",
            "sasl.oauthbearer.token.endpoint.url": url,
            "sasl.oauthbearer.client.credentials.client.id": "me",
            "sasl.oauthbearer.client.credentials.client.secret": "hush",
            "sasl.oauthbearer.scope": "kafka",
        }
        with barnabas.Admin(configs) as admin:
            assert admin.describe_cluster().nodes
        assert asked == ["grant_type=client_credentials&scope=kafka"]
        configs["sasl.oauthbearer.client.credentials.client.secret"] = "wrong"
        with pytest.raises(BarnabasError, match="gives no token: 401"):
            barnabas.Admin(configs)


def test_access_is_given_shown_and_taken_away(secured: Secured) -> None:
    binding = AclBinding(AclResourceType.TOPIC, "orders", "User:bob", AclOperation.READ)
    with secured.admin("PLAINTEXT") as admin:
        admin.create_acls([binding])
        assert soon(lambda: admin.describe_acls() == (binding,))
        assert repr(admin.describe_acls()) == "User:bob may read topic orders"
        assert admin.describe_acls(AclFilter(principal="User:eve")) == ()
        removed = admin.delete_acls(AclFilter(principal="User:bob"))
        assert list(removed.values()) == [(binding,)]
        assert soon(lambda: admin.describe_acls() == ())


def test_quotas_are_set_and_removed(secured: Secured) -> None:
    bob, anybody = QuotaEntity(user="bob", client_id="app"), QuotaEntity(user="")
    with secured.admin("PLAINTEXT") as admin:
        admin.alter_client_quotas({bob: {"producer_byte_rate": 1024.0}, anybody: {"consumer_byte_rate": 5.0}})
        found = {bob: {"producer_byte_rate": 1024.0}}
        assert soon(lambda: admin.describe_client_quotas(QuotaFilter(user="bob")) == found)
        assert set(admin.describe_client_quotas(QuotaFilter(user=QuotaFilter.ANY))) == {bob, anybody}
        admin.alter_client_quotas({bob: {"producer_byte_rate": None}})
        assert soon(lambda: set(admin.describe_client_quotas()) == {anybody})


def test_a_delegation_token_stands_for_a_password(secured: Secured) -> None:
    with secured.admin("SASL_SSL", **user("SCRAM-SHA-256")) as admin:
        token = admin.create_delegation_token(renewers=["User:bob"])
        assert (token.owner, token.renewers) == ("User:alice", ("User:bob",))
        assert soon(lambda: [one.token_id for one in admin.describe_delegation_tokens()] == [token.token_id])
        assert admin.renew_delegation_token(token.hmac) > token.issue_timestamp
        with secured.admin(
            "SASL_SSL",
            sasl_mechanism="SCRAM-SHA-256",
            sasl_username=token.token_id,
            sasl_password=base64.b64encode(token.hmac).decode(),
            sasl_token_authentication=True,
        ) as other:
            assert other.describe_cluster().nodes
        admin.expire_delegation_token(token.hmac)
        assert soon(lambda: admin.describe_delegation_tokens() == [])

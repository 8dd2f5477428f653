"""Broker configs of authorization, delegation tokens, SASL and TLS.

The columns are described in `definition`.
"""

TABLE = """
authorizer.class.name | string | '' | non-null | read-only | security
    Java class that decides who may do what.
principal.builder.class | class |
  org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder | - | per-broker | java
    Java class that turns a connection's identity into a principal.
security.inter.broker.protocol | string | PLAINTEXT | one of PLAINTEXT SSL SASL_PLAINTEXT SASL_SSL |
  read-only | quorum
    Security protocol between brokers, when inter.broker.listener.name is unset.
security.providers | string | null | - | read-only | java
    Java classes of additional security providers.
delegation.token.secret.key | password | null | - | read-only | tokens
    Secret with which delegation tokens are signed; the same on all nodes.
delegation.token.max.lifetime.ms | long | 604800000 | 1.. | read-only | tokens
    Time after which a delegation token can no longer be renewed.
delegation.token.expiry.time.ms | long | 86400000 | 1.. | read-only | tokens
    How long a delegation token lasts without renewal.
delegation.token.expiry.check.interval.ms | long | 3600000 | 1.. | read-only | tokens
    How often expired delegation tokens are removed.
sasl.enabled.mechanisms | list | GSSAPI | list | per-broker | sasl
    SASL mechanisms that clients may use.
sasl.mechanism.inter.broker.protocol | string | GSSAPI | - | per-broker | sasl
    SASL mechanism between brokers.
sasl.mechanism.controller.protocol | string | GSSAPI | - | read-only | sasl
    SASL mechanism towards controllers.
sasl.jaas.config | password | null | - | per-broker | sasl
    Login module and credentials of a listener, in JAAS syntax.
sasl.login.class | class | null | - | read-only | java
    Java class that logs in.
sasl.login.callback.handler.class | class | null | - | read-only | java
    Java class that supplies what a login asks for.
sasl.client.callback.handler.class | class | null | - | read-only | java
    Java class that answers a SASL client's questions.
sasl.server.callback.handler.class | class | null | - | read-only | java
    Java class that answers a SASL server's questions.
sasl.server.max.receive.size | int | 524288 | - | read-only | sasl
    Largest message before authentication is done.
sasl.kerberos.service.name | string | null | - | per-broker | kerberos
    Service name of the brokers in Kerberos.
sasl.kerberos.kinit.cmd | string | /usr/bin/kinit | - | per-broker | kerberos
    Path of the kinit program.
sasl.kerberos.min.time.before.relogin | long | 60000 | - | per-broker | kerberos
    Shortest time between two renewals of a Kerberos ticket, in milliseconds.
sasl.kerberos.principal.to.local.rules | list | DEFAULT | list | per-broker | kerberos
    Rules that shorten Kerberos principals to local names.
sasl.kerberos.ticket.renew.jitter | double | 0.05 | - | per-broker | kerberos
    Random share added to the time of a ticket's renewal.
sasl.kerberos.ticket.renew.window.factor | double | 0.8 | - | per-broker | kerberos
    Share of a ticket's life after which it is renewed.
sasl.login.refresh.window.factor | double | 0.8 | - | per-broker | sasl
    Share of a token's life after which a new one is fetched.
sasl.login.refresh.window.jitter | double | 0.05 | - | per-broker | sasl
    Random share added to the time of a token's refresh.
sasl.login.refresh.min.period.seconds | short | 60 | - | per-broker | sasl
    Shortest time between two refreshes of a token.
sasl.login.refresh.buffer.seconds | short | 300 | - | per-broker | sasl
    Time before a token's end at which it must have been refreshed.
sasl.login.connect.timeout.ms | int | null | - | read-only | sasl
    Timeout of a connection to the identity provider.
sasl.login.read.timeout.ms | int | null | - | read-only | sasl
    Timeout of a read from the identity provider.
sasl.login.retry.backoff.ms | long | 100 | - | read-only | sasl
    First pause between two attempts to log in.
sasl.login.retry.backoff.max.ms | long | 10000 | - | read-only | sasl
    Longest pause between two attempts to log in.
sasl.oauthbearer.allow.unverified.audience | boolean | false | - | read-only | oauth
    Whether tokens are taken although no expected audience is set.
sasl.oauthbearer.allow.unverified.issuer | boolean | false | - | read-only | oauth
    Whether tokens are taken although no expected issuer is set.
sasl.oauthbearer.assertion.algorithm | string | RS256 | any case of ES256 RS256 | read-only | oauth
    Algorithm that signs the assertion for a token.
sasl.oauthbearer.assertion.claim.aud | string | null | - | read-only | oauth
    Claim aud of the assertion.
sasl.oauthbearer.assertion.claim.exp.seconds | int | 300 | 0..86400 | read-only | oauth
    Seconds for which the assertion is valid.
sasl.oauthbearer.assertion.claim.iss | string | null | - | read-only | oauth
    Claim iss of the assertion.
sasl.oauthbearer.assertion.claim.jti.include | boolean | false | - | read-only | oauth
    Whether the assertion carries an id of its own.
sasl.oauthbearer.assertion.claim.nbf.seconds | int | 60 | 0..3600 | read-only | oauth
    Seconds in the past from which the assertion is valid.
sasl.oauthbearer.assertion.claim.sub | string | null | - | read-only | oauth
    Claim sub of the assertion.
sasl.oauthbearer.assertion.file | string | null | - | read-only | oauth
    File that holds a ready assertion.
sasl.oauthbearer.assertion.private.key.file | string | null | - | read-only | oauth
    File of the private key that signs the assertion.
sasl.oauthbearer.assertion.private.key.passphrase | password | null | - | read-only | oauth
    Passphrase of that private key.
sasl.oauthbearer.assertion.template.file | string | null | - | read-only | oauth
    File with further headers and claims of the assertion.
sasl.oauthbearer.client.credentials.client.id | string | null | - | read-only | oauth
    Client id with which a token is asked for.
sasl.oauthbearer.client.credentials.client.secret | password | null | - | read-only | oauth
    Client secret with which a token is asked for.
sasl.oauthbearer.clock.skew.seconds | int | 30 | - | read-only | oauth
    Difference between clocks that token checks forgive.
sasl.oauthbearer.expected.audience | list | '' | list | read-only | oauth
    Audiences of which a token must name one.
sasl.oauthbearer.expected.issuer | string | null | - | read-only | oauth
    Issuer that a token must name.
sasl.oauthbearer.jwks.endpoint.url | string | null | - | read-only | oauth
    Where the keys that verify tokens are found.
sasl.oauthbearer.jwks.endpoint.refresh.ms | long | 3600000 | - | read-only | oauth
    How often those keys are fetched again.
sasl.oauthbearer.jwks.endpoint.retry.backoff.ms | long | 100 | - | read-only | oauth
    First pause between two attempts to fetch those keys.
sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms | long | 10000 | - | read-only | oauth
    Longest pause between two attempts to fetch those keys.
sasl.oauthbearer.jwt.retriever.class | class |
  org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever | - | read-only | java
    Java class that fetches tokens.
sasl.oauthbearer.jwt.validator.class | class |
  org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator | - | read-only | java
    Java class that checks tokens.
sasl.oauthbearer.scope | string | null | - | read-only | oauth
    Scope that is asked for.
sasl.oauthbearer.scope.claim.name | string | scope | - | read-only | oauth
    Name of the claim that holds the scope.
sasl.oauthbearer.sub.claim.name | string | sub | - | read-only | oauth
    Name of the claim that holds the subject.
sasl.oauthbearer.token.endpoint.url | string | null | - | read-only | oauth
    Where tokens are asked for.
ssl.client.auth | string | none | one of required requested none | per-broker | tls
    Whether clients must, may or need not show a certificate.
ssl.keystore.location | string | null | - | per-broker | tls
    File of this node's certificate and key.
ssl.keystore.type | string | JKS | - | per-broker | tls
    Format of the key store: JKS, PKCS12 or PEM.
ssl.keystore.password | password | null | - | per-broker | tls
    Password of the key store file.
ssl.keystore.certificate.chain | password | null | - | per-broker | tls
    This node's certificate chain itself, as PEM.
ssl.keystore.key | password | null | - | per-broker | tls
    This node's private key itself, as PEM.
ssl.key.password | password | null | - | per-broker | tls
    Password of the private key.
ssl.truststore.location | string | null | - | per-broker | tls
    File of the certificates that are trusted.
ssl.truststore.type | string | JKS | - | per-broker | tls
    Format of the trust store: JKS, PKCS12 or PEM.
ssl.truststore.password | password | null | - | per-broker | tls
    Password of the trust store file.
ssl.truststore.certificates | password | null | - | per-broker | tls
    The trusted certificates themselves, as PEM.
ssl.protocol | string | TLSv1.3 | - | per-broker | tls
    TLS version that is preferred.
ssl.enabled.protocols | list | TLSv1.2,TLSv1.3 | list | per-broker | tls
    TLS versions that are allowed.
ssl.cipher.suites | list | '' | list | per-broker | tls
    Cipher suites that are allowed; empty leaves it to the TLS library.
ssl.endpoint.identification.algorithm | string | https | - | per-broker | tls
    How the name in a certificate is checked; empty turns the check off.
ssl.principal.mapping.rules | string | DEFAULT | - | read-only | tls
    Rules that turn the name in a client's certificate into a principal.
ssl.allow.dn.changes | boolean | false | - | read-only | tls
    Whether a dynamic change of the key store may change the certificate's distinguished name.
ssl.allow.san.changes | boolean | false | - | read-only | tls
    Whether a dynamic change of the key store may drop alternative names.
ssl.engine.factory.class | class | null | - | per-broker | java
    Java class that makes TLS engines.
ssl.keymanager.algorithm | string | SunX509 | - | per-broker | java
    Algorithm of the Java key manager.
ssl.trustmanager.algorithm | string | PKIX | - | per-broker | java
    Algorithm of the Java trust manager.
ssl.secure.random.implementation | string | null | - | per-broker | java
    Java source of random numbers for TLS.
ssl.provider | string | null | - | per-broker | java
    Java security provider for TLS.
"""

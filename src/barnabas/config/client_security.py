"""Configs of the clients about TLS and SASL. The columns are described in `definition`."""

SECURITY = """
sasl.jaas.config | password | null | - | effective
    Name and password as Java's clients take them; sasl.username and sasl.password are simpler.
sasl.mechanism | string | null | one of PLAIN SCRAM-SHA-256 SCRAM-SHA-512 OAUTHBEARER | effective
    How to prove who one is.
sasl.oauthbearer.client.credentials.client.id | string | null | - | effective
    Whom the token's issuer is asked as.
sasl.oauthbearer.client.credentials.client.secret | password | null | - | effective
    And the proof for it.
sasl.oauthbearer.scope | string | null | - | effective
    What the token is to be good for.
sasl.oauthbearer.token.endpoint.url | string | null | - | effective
    Where tokens are given out (OAuth 2.0, client credentials).
sasl.password | password | null | - | effective
    Own to barnabas. The password of PLAIN and SCRAM.
sasl.token.authentication | boolean | false | - | effective
    Own to barnabas. Whether name and password are id and HMAC of a delegation token.
sasl.username | string | null | - | effective
    Own to barnabas. The name of PLAIN and SCRAM.
security.protocol | string | PLAINTEXT | one of PLAINTEXT SSL SASL_PLAINTEXT SASL_SSL | effective
    How to talk to brokers.
ssl.enabled.protocols | list | TLSv1.2,TLSv1.3 | list non-empty of TLSv1.2 TLSv1.3 | effective
    Versions of TLS.
ssl.endpoint.identification.algorithm | string | https | - | effective
    Empty: a broker's certificate may be for another name.
ssl.keystore.certificate.chain | password | null | - | effective
    The client's certificate and those above it, in PEM.
ssl.keystore.key | password | null | - | effective
    The key of the client's certificate, in PEM, not encrypted.
ssl.keystore.location | string | null | - | effective
    A PEM file with the client's key and certificates.
ssl.keystore.type | string | PEM | one of PEM | effective
    What is read. Java's stores are turned into PEM by keytool and openssl.
ssl.truststore.certificates | password | null | - | effective
    Certificates that are trusted, in PEM.
ssl.truststore.location | string | null | - | effective
    A PEM file with the certificates that are trusted; without any, the system's are.
ssl.truststore.type | string | PEM | one of PEM | effective
    What is read. Java's stores are turned into PEM by keytool and openssl.
"""

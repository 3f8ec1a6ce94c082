//! Security.

use super::Area::Security;
use super::Kind::{Bool, Duration, Float, Int, List, Str};
use super::Verdict::{Honoured, Later, NoMeaning};
use super::reason::{NAMES_VERIFIED, NO_JVM, NO_KERBEROS, PEM, TLS_BY_LIBRARY, TLS_TIMES};
use super::{KnownOption, opt};

#[rustfmt::skip]
pub(super) const OPTIONS: &[KnownOption] = &[
    opt("security.context.factory.classes", &[], List, "", NoMeaning(NO_KERBEROS)),
    opt("security.delegation.tokens.enabled", &[], Bool, "true", NoMeaning(NO_KERBEROS)),
    opt("security.delegation.tokens.renewal.retry.backoff", &[], Duration, "1 h", NoMeaning(NO_KERBEROS)),
    opt("security.delegation.tokens.renewal.time-ratio", &[], Float, "0.75", NoMeaning(NO_KERBEROS)),
    opt("security.kerberos.access.hadoopFileSystems", &[], List, "", NoMeaning(NO_KERBEROS)),
    opt("security.kerberos.fetch.delegation-token", &[], Bool, "true", NoMeaning(NO_KERBEROS)),
    opt("security.kerberos.krb5-conf.path", &[], Str, "", NoMeaning(NO_KERBEROS)),
    opt("security.kerberos.login.contexts", &[], Str, "", NoMeaning(NO_KERBEROS)),
    opt("security.kerberos.login.keytab", &[], Str, "", NoMeaning(NO_KERBEROS)),
    opt("security.kerberos.login.principal", &[], Str, "", NoMeaning(NO_KERBEROS)),
    opt("security.kerberos.login.use-ticket-cache", &[], Bool, "true", NoMeaning(NO_KERBEROS)),
    opt("security.kerberos.relogin.period", &[], Duration, "1 min", NoMeaning(NO_KERBEROS)),
    opt("security.module.factory.classes", &[], List, "", NoMeaning(NO_KERBEROS)),
    opt("security.ssl.algorithms", &[], Str, "TLS_RSA_WITH_AES_128_CBC_SHA", NoMeaning(TLS_BY_LIBRARY)),
    opt("security.ssl.enabled", &[], Bool, "false", Later(Security)),
    opt("security.ssl.internal.cert.fingerprint", &[], Str, "", Later(Security)),
    opt("security.ssl.internal.close-notify-flush-timeout", &[], Int, "-1", NoMeaning(TLS_TIMES)),
    opt("security.ssl.internal.enabled", &[], Bool, "false", Honoured),
    opt("security.ssl.internal.handshake-timeout", &[], Int, "-1", NoMeaning(TLS_TIMES)),
    opt("security.ssl.internal.key-password", &[], Str, "", NoMeaning(PEM)),
    opt("security.ssl.internal.keystore", &[], Str, "", Honoured),
    opt("security.ssl.internal.keystore-password", &[], Str, "", NoMeaning(PEM)),
    opt("security.ssl.internal.keystore-type", &[], Str, "", Honoured),
    opt("security.ssl.internal.session-cache-size", &[], Int, "-1", NoMeaning(TLS_TIMES)),
    opt("security.ssl.internal.session-timeout", &[], Int, "-1", NoMeaning(TLS_TIMES)),
    opt("security.ssl.internal.truststore", &[], Str, "", Honoured),
    opt("security.ssl.internal.truststore-password", &[], Str, "", NoMeaning(PEM)),
    opt("security.ssl.internal.truststore-type", &[], Str, "", Honoured),
    opt("security.ssl.key-password", &[], Str, "", NoMeaning(PEM)),
    opt("security.ssl.keystore", &[], Str, "", Honoured),
    opt("security.ssl.keystore-password", &[], Str, "", NoMeaning(PEM)),
    opt("security.ssl.protocol", &[], Str, "TLSv1.2", NoMeaning(TLS_BY_LIBRARY)),
    opt("security.ssl.provider", &[], Str, "JDK", NoMeaning(NO_JVM)),
    opt("security.ssl.reload", &[], Bool, "false", Later(Security)),
    opt("security.ssl.rest.authentication-enabled", &[], Bool, "false", Honoured),
    opt("security.ssl.rest.cert.fingerprint", &[], Str, "", Later(Security)),
    opt("security.ssl.rest.enabled", &[], Bool, "false", Honoured),
    opt("security.ssl.rest.key-password", &[], Str, "", NoMeaning(PEM)),
    opt("security.ssl.rest.keystore", &[], Str, "", Honoured),
    opt("security.ssl.rest.keystore-password", &[], Str, "", NoMeaning(PEM)),
    opt("security.ssl.rest.keystore-type", &[], Str, "", Honoured),
    opt("security.ssl.rest.truststore", &[], Str, "", Honoured),
    opt("security.ssl.rest.truststore-password", &[], Str, "", NoMeaning(PEM)),
    opt("security.ssl.rest.truststore-type", &[], Str, "", Honoured),
    opt("security.ssl.truststore", &[], Str, "", Honoured),
    opt("security.ssl.truststore-password", &[], Str, "", NoMeaning(PEM)),
    opt("security.ssl.verify-hostname", &[], Bool, "true", NoMeaning(NAMES_VERIFIED)),
];

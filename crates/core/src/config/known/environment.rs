//! Environment of the processes.

use super::Kind::{Bool, Int, Str};
use super::Verdict::NoMeaning;
use super::reason::{LOG_STDERR, NO_JVM, NO_SCRIPTS};
use super::{KnownOption, opt};

#[rustfmt::skip]
pub(super) const OPTIONS: &[KnownOption] = &[
    opt("env.hadoop.conf.dir", &[], Str, "", NoMeaning(NO_SCRIPTS)),
    opt("env.hbase.conf.dir", &[], Str, "", NoMeaning(NO_SCRIPTS)),
    opt("env.java.default-opts.all", &[], Str, "", NoMeaning(NO_JVM)),
    opt("env.java.default-opts.jobmanager", &[], Str, "", NoMeaning(NO_JVM)),
    opt("env.java.default-opts.taskmanager", &[], Str, "", NoMeaning(NO_JVM)),
    opt("env.java.home", &[], Str, "", NoMeaning(NO_JVM)),
    opt("env.java.opts.all", &["env.java.opts"], Str, "", NoMeaning(NO_JVM)),
    opt("env.java.opts.client", &[], Str, "", NoMeaning(NO_JVM)),
    opt("env.java.opts.historyserver", &[], Str, "", NoMeaning(NO_JVM)),
    opt("env.java.opts.jobmanager", &[], Str, "", NoMeaning(NO_JVM)),
    opt("env.java.opts.sql-gateway", &[], Str, "", NoMeaning(NO_JVM)),
    opt("env.java.opts.taskmanager", &[], Str, "", NoMeaning(NO_JVM)),
    opt("env.log.dir", &[], Str, "", NoMeaning(LOG_STDERR)),
    opt("env.log.level", &[], Str, "INFO", NoMeaning(LOG_STDERR)),
    opt("env.log.max", &[], Int, "10", NoMeaning(LOG_STDERR)),
    opt("env.pid.dir", &[], Str, "/tmp", NoMeaning(NO_SCRIPTS)),
    opt("env.ssh.opts", &[], Str, "", NoMeaning(NO_SCRIPTS)),
    opt("env.stdout-err.redirect-to-file", &[], Bool, "false", NoMeaning(NO_SCRIPTS)),
    opt("env.yarn.conf.dir", &[], Str, "", NoMeaning(NO_SCRIPTS)),
    opt("jmx.server.port", &[], Str, "", NoMeaning(NO_JVM)),
];

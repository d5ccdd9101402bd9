//! Kafka's own notation of a configuration: property files and property names.

use std::fmt;
use std::time::Duration;

use windlass_assignor::by_name;

use crate::{Config, ConfigError, IsolationLevel, OffsetReset};

/// What became of the properties that [`Config::from_properties`] did not use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PropertiesReport {
    /// One entry for each property that has no effect, in the order of the file.
    pub ignored: Vec<IgnoredProperty>,
}

/// A property without effect, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredProperty {
    /// The name as written.
    pub name: String,
    /// Why it has no effect, or which name was perhaps meant.
    pub reason: String,
}

impl fmt::Display for IgnoredProperty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

/// Properties of Kafka's that a consumer may carry and that have no effect here.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    (
        "key.deserializer",
        "records are bytes; deserialize them with a typed view",
    ),
    (
        "value.deserializer",
        "records are bytes; deserialize them with a typed view",
    ),
    ("interceptor.classes", "there are no interceptors"),
    ("metric.reporters", "metrics come as tracing events"),
    ("enable.metrics.push", "client telemetry is not built yet"),
    (
        "exclude.internal.topics",
        "there are no pattern subscriptions yet",
    ),
    (
        "client.dns.lookup",
        "every resolved address is tried, always",
    ),
    ("config.providers", "values are taken as they stand"),
    (
        "group.remote.assignor",
        "only the consumer protocol, which is not built yet, has a use for it",
    ),
    ("metrics.num.samples", "metrics come as tracing events"),
    ("metrics.recording.level", "metrics come as tracing events"),
    ("metrics.sample.window.ms", "metrics come as tracing events"),
    ("security.providers", "there is no Java to provide them to"),
    ("send.buffer.bytes", "the system's default is used"),
    ("receive.buffer.bytes", "the system's default is used"),
    (
        "connections.max.idle.ms",
        "idle connections are closed after 9 minutes, one before a broker does",
    ),
    (
        "metadata.recovery.strategy",
        "the bootstrap servers are asked again whenever no broker answers",
    ),
    (
        "metadata.recovery.rebootstrap.trigger.ms",
        "the bootstrap servers are asked again whenever no broker answers",
    ),
    (
        "socket.connection.setup.timeout.max.ms",
        "one timeout serves every attempt",
    ),
];

const KNOWN: &[&str] = &[
    "allow.auto.create.topics",
    "auto.commit.interval.ms",
    "auto.offset.reset",
    "bootstrap.servers",
    "check.crcs",
    "client.id",
    "client.rack",
    "default.api.timeout.ms",
    "enable.auto.commit",
    "fetch.max.bytes",
    "fetch.max.wait.ms",
    "fetch.min.bytes",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "heartbeat.interval.ms",
    "isolation.level",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "max.poll.records",
    "metadata.max.age.ms",
    "partition.assignment.strategy",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "security.protocol",
    "session.timeout.ms",
    "socket.connection.setup.timeout.ms",
    "windlass.buffer.bytes",
];

impl Config {
    /// Reads a Java property file (`name=value` a line, `#` and `!` comments, `\` continues a line),
    /// with Kafka's property names. The later of two entries of one name wins.
    ///
    /// # Errors
    ///
    /// A value that cannot be understood, or a property that would change what is safe (TLS, SASL)
    /// and is not supported, is an error; a property that merely has no effect is reported.
    pub fn from_properties(text: &str) -> Result<(Self, PropertiesReport), ConfigError> {
        let mut config = Self::default();
        let mut report = PropertiesReport::default();
        for (name, value) in parse_lines(text) {
            if let Some(ignored) = config.set_property(&name, &value)? {
                report.ignored.push(ignored);
            }
        }
        Ok((config, report))
    }

    /// Sets one property by Kafka's name. Answers why it has no effect, where it has none.
    ///
    /// # Errors
    ///
    /// As [`Config::from_properties`].
    pub fn set_property(
        &mut self,
        name: &str,
        value: &str,
    ) -> Result<Option<IgnoredProperty>, ConfigError> {
        let value = value.trim();
        if self.set_identity(name, value)?
            || self.set_duration(name, value)?
            || self.set_number(name, value)?
        {
            return Ok(None);
        }
        if let Some((_, reason)) = WITHOUT_EFFECT.iter().find(|(known, _)| *known == name) {
            return Ok(Some(IgnoredProperty {
                name: name.to_owned(),
                reason: (*reason).to_owned(),
            }));
        }
        if name.starts_with("ssl.") || name.starts_with("sasl.") {
            return Err(ConfigError::invalid(
                name,
                value,
                "TLS and SASL are not built yet",
            ));
        }
        Ok(Some(IgnoredProperty {
            name: name.to_owned(),
            reason: hint(name),
        }))
    }

    fn set_identity(&mut self, name: &str, value: &str) -> Result<bool, ConfigError> {
        match name {
            "bootstrap.servers" => self.bootstrap_servers = list(value),
            "client.id" => self.client_id = optional(value),
            "client.rack" => self.client_rack = optional(value),
            "group.id" => self.group_id = optional(value),
            "group.instance.id" => self.group_instance_id = optional(value),
            "group.protocol" => match value.to_ascii_lowercase().as_str() {
                "classic" => {}
                _ => {
                    return Err(ConfigError::invalid(
                        name,
                        value,
                        "only the classic protocol is built yet",
                    ));
                }
            },
            "security.protocol" => {
                if !value.eq_ignore_ascii_case("PLAINTEXT") {
                    return Err(ConfigError::invalid(
                        name,
                        value,
                        "only PLAINTEXT is built yet",
                    ));
                }
            }
            "auto.offset.reset" => {
                self.auto_offset_reset = match value.to_ascii_lowercase().as_str() {
                    "earliest" => OffsetReset::Earliest,
                    "latest" => OffsetReset::Latest,
                    "none" => OffsetReset::None,
                    _ => {
                        return Err(ConfigError::invalid(
                            name,
                            value,
                            "write earliest, latest or none",
                        ));
                    }
                }
            }
            "isolation.level" => {
                self.isolation_level = match value.to_ascii_lowercase().as_str() {
                    "read_uncommitted" => IsolationLevel::ReadUncommitted,
                    "read_committed" => IsolationLevel::ReadCommitted,
                    _ => {
                        return Err(ConfigError::invalid(
                            name,
                            value,
                            "write read_uncommitted or read_committed",
                        ));
                    }
                }
            }
            "partition.assignment.strategy" => self.assignors = assignors(name, value)?,
            "enable.auto.commit" => self.enable_auto_commit = boolean(name, value)?,
            "allow.auto.create.topics" => self.allow_auto_create_topics = boolean(name, value)?,
            "check.crcs" => self.check_crcs = boolean(name, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_duration(&mut self, name: &str, value: &str) -> Result<bool, ConfigError> {
        let target = match name {
            "auto.commit.interval.ms" => &mut self.auto_commit_interval,
            "session.timeout.ms" => &mut self.session_timeout,
            "heartbeat.interval.ms" => &mut self.heartbeat_interval,
            "max.poll.interval.ms" => &mut self.max_poll_interval,
            "fetch.max.wait.ms" => &mut self.fetch_max_wait,
            "request.timeout.ms" => &mut self.request_timeout,
            "default.api.timeout.ms" => &mut self.default_api_timeout,
            "retry.backoff.ms" => &mut self.retry_backoff,
            "retry.backoff.max.ms" => &mut self.retry_backoff_max,
            "reconnect.backoff.ms" => &mut self.reconnect_backoff,
            "reconnect.backoff.max.ms" => &mut self.reconnect_backoff_max,
            "socket.connection.setup.timeout.ms" => &mut self.connection_setup_timeout,
            "metadata.max.age.ms" => &mut self.metadata_max_age,
            _ => return Ok(false),
        };
        let milliseconds: u32 = number(name, value, "write a number of milliseconds")?;
        *target = Duration::from_millis(u64::from(milliseconds));
        Ok(true)
    }

    fn set_number(&mut self, name: &str, value: &str) -> Result<bool, ConfigError> {
        match name {
            "max.poll.records" => {
                self.max_poll_records = number(name, value, "write a number of records")?;
            }
            "fetch.min.bytes" => {
                self.fetch_min_bytes = number(name, value, "write a number of bytes")?;
            }
            "fetch.max.bytes" => {
                self.fetch_max_bytes = number(name, value, "write a number of bytes")?;
            }
            "max.partition.fetch.bytes" => {
                self.max_partition_fetch_bytes = number(name, value, "write a number of bytes")?;
            }
            "windlass.buffer.bytes" => {
                self.buffer_bytes = number(name, value, "write a number of bytes")?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn optional(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

fn list(value: &str) -> Vec<String> {
    value
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(str::to_owned)
        .collect()
}

fn boolean(name: &str, value: &str) -> Result<bool, ConfigError> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(ConfigError::invalid(name, value, "write true or false")),
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str, advice: &str) -> Result<T, ConfigError> {
    value
        .parse()
        .map_err(|_| ConfigError::invalid(name, value, advice))
}

fn assignors(
    name: &str,
    value: &str,
) -> Result<Vec<std::sync::Arc<dyn windlass_assignor::Assignor>>, ConfigError> {
    list(value)
        .iter()
        .map(|strategy| {
            by_name(strategy).ok_or_else(|| {
                ConfigError::invalid(
                    name,
                    strategy,
                    "known are range, roundrobin, sticky and cooperative-sticky, and the names of Kafka's classes for them",
                )
            })
        })
        .collect()
}

/// What to say of a name that nobody knows.
fn hint(name: &str) -> String {
    let nearest = KNOWN
        .iter()
        .chain(WITHOUT_EFFECT.iter().map(|(known, _)| known))
        .map(|known| (edit_distance(name, known), *known))
        .min();
    match nearest {
        Some((distance, known)) if distance <= name.len().div_ceil(4) => {
            format!("unknown property; did you mean {known}?")
        }
        _ => "unknown property".to_owned(),
    }
}

/// Levenshtein's distance between two short names.
fn edit_distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (j, b) in other.iter().enumerate() {
            let above = row.get(j + 1).copied().unwrap_or(usize::MAX);
            let substituted = diagonal + usize::from(a != *b);
            diagonal = above;
            let best = substituted.min(above + 1).min(left + 1);
            if let Some(cell) = row.get_mut(j) {
                *cell = left;
            }
            left = best;
        }
        if let Some(cell) = row.last_mut() {
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// The entries of a property file, unescaped.
fn parse_lines(text: &str) -> Vec<(String, String)> {
    let mut entries = Vec::new();
    let mut logical = String::new();
    for line in text.lines() {
        let line = line.trim_start();
        if logical.is_empty() && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        let backslashes = line.chars().rev().take_while(|c| *c == '\\').count();
        if backslashes % 2 == 1 {
            logical.push_str(line.strip_suffix('\\').unwrap_or(line));
            continue;
        }
        logical.push_str(line);
        entries.push(split_entry(&std::mem::take(&mut logical)));
    }
    if !logical.is_empty() {
        entries.push(split_entry(&logical));
    }
    entries
}

fn split_entry(line: &str) -> (String, String) {
    let mut escaped = false;
    let end = line
        .char_indices()
        .find(|(_, c)| {
            let separates = !escaped && (matches!(c, '=' | ':') || c.is_whitespace());
            escaped = !escaped && *c == '\\';
            separates
        })
        .map_or(line.len(), |(index, _)| index);
    let (name, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start();
    (unescape(name), unescape(rest))
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match characters.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => {
                let digits: String = characters.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16)
                    .ok()
                    .and_then(char::from_u32);
                plain.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_property_file_as_java_writes_it() {
        let text = "# comment\n! another\nbootstrap.servers = a:1, \\\n    b:2\ngroup.id:analytics\nauto.offset.reset earliest\nclient.id=caf\\u00e9\nmax.poll.records=20\n";
        let (config, report) = Config::from_properties(text).unwrap();
        assert_eq!(config.bootstrap_servers, ["a:1", "b:2"]);
        assert_eq!(config.group_id.as_deref(), Some("analytics"));
        assert_eq!(config.auto_offset_reset, OffsetReset::Earliest);
        assert_eq!(config.client_id.as_deref(), Some("café"));
        assert_eq!(config.max_poll_records, 20);
        assert!(report.ignored.is_empty());
    }

    #[test]
    fn reports_what_has_no_effect_and_guesses_typos() {
        let (_, report) =
            Config::from_properties("key.deserializer=X\nsesion.timeout.ms=1\n").unwrap();
        assert!(report.ignored[0].reason.contains("typed view"));
        assert!(
            report.ignored[1].reason.contains("session.timeout.ms"),
            "{}",
            report.ignored[1]
        );
    }

    #[test]
    fn refuses_what_it_cannot_honour() {
        for text in [
            "security.protocol=SSL",
            "ssl.keystore.location=x",
            "max.poll.records=many",
            "group.protocol=consumer",
            "enable.auto.commit=yes",
            "partition.assignment.strategy=best",
        ] {
            let error = Config::from_properties(text).unwrap_err().to_string();
            let name = text.split('=').next().unwrap();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn every_known_name_is_understood() {
        for name in KNOWN {
            let understood = [
                "1",
                "true",
                "earliest",
                "range",
                "classic",
                "PLAINTEXT",
                "read_committed",
            ]
            .iter()
            .any(|value| Config::default().set_property(name, value) == Ok(None));
            assert!(understood, "{name}");
        }
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("abc", "abc"), 0);
    }
}

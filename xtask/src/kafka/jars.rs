//! Kafka's artifacts, by way of Maven, and the Java that runs them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use super::files;
use crate::process::{exists, read, target};

/// The release that is tested against.
const VERSION: &str = "4.3.1";

/// The release of log4j that this Kafka brings along; the binding has to be of the same.
const LOG4J_VERSION: &str = "2.25.4";

/// The oldest Java that this Kafka's broker runs on.
const OLDEST_JAVA: u32 = 17;

/// What is logged, by brokers and tools, to standard error. The group coordinator's rebalances are
/// the half of the story that a failing test of ours needs.
const LOGGING: &str = "\
status=error
appender.console.type=Console
appender.console.name=console
appender.console.target=SYSTEM_ERR
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{HH:mm:ss.SSS} %-5p %c{1}: %m%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
logger.group.name=org.apache.kafka.coordinator.group
logger.group.level=info
";

static QUIET: AtomicBool = AtomicBool::new(false);

/// Keeps back the news of a long download.
pub(super) fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// The class path of all of Kafka's jars; Maven brings them if they are not there yet.
pub(super) fn class_path() -> Result<String, String> {
    let folder = target().join("kafka");
    let library = folder.join("lib");
    let marker = library.join(format!(".kafka-{VERSION}"));
    if !marker.exists() {
        let _lock = files::lock(&folder.join(".lock"))?;
        // Somebody else may have brought them while we waited.
        if !marker.exists() {
            files::remove_folder(&library)?;
            download()?;
            files::write(&marker, "")?;
        }
    }
    Ok(format!("{}/*", library.display()))
}

/// What stands between `java` and the name of a class: the class path, and how to log.
pub(super) fn java_arguments() -> Result<[String; 3], String> {
    let class_path = class_path()?;
    let logging = target().join("kafka/log4j2.properties");
    if !logging.exists() || files::read(&logging)? != LOGGING {
        files::write(&logging, LOGGING)?;
    }
    Ok([
        "-cp".to_owned(),
        class_path,
        format!("-Dlog4j2.configurationFile={}", logging.display()),
    ])
}

/// Says it plainly when Java is missing or too old; `java -version` takes a tenth of a second.
pub(super) fn check_java() -> Result<(), String> {
    let missing = format!("Apache Kafka {VERSION} needs Java {OLDEST_JAVA}");
    let mut java = Command::new("java");
    let output = java
        .arg("-version")
        .output()
        .map_err(|_| format!("{missing}, and there is no java"))?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    match java_version(&text) {
        Some(version) if version < OLDEST_JAVA => Err(format!("{missing}, and java is {version}")),
        _ => Ok(()),
    }
}

/// The major version in what `java -version` prints; before 9 it was called 1.8 and the like.
fn java_version(text: &str) -> Option<u32> {
    let mut numbers = text.split('"').nth(1)?.split(['.', '-', '+']);
    match numbers.next()?.parse().ok()? {
        1 => numbers.next()?.parse().ok(),
        major => Some(major),
    }
}

#[expect(clippy::print_stderr, reason = "a download takes a while")]
fn download() -> Result<(), String> {
    check_java()?;
    if !exists("mvn", "-version") {
        return Err("Kafka's jars come by way of Maven, and there is no mvn".to_owned());
    }
    if !QUIET.load(Ordering::Relaxed) {
        eprintln!("fetching Apache Kafka {VERSION} by way of Maven");
    }
    let folder = target().join("kafka");
    files::write(&folder.join("pom.xml"), &pom_text())?;
    let mut maven = Command::new("mvn");
    maven
        .args([
            "-q",
            "-B",
            "dependency:copy-dependencies",
            "-DoutputDirectory=lib",
        ])
        .current_dir::<PathBuf>(folder);
    read(&mut maven).map(drop)
}

fn pom_text() -> String {
    let dependency = |group: &str, artifact: &str, version: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"
        )
    };
    let dependencies = [
        dependency("org.apache.kafka", "kafka_2.13", VERSION),
        dependency("org.apache.kafka", "kafka-tools", VERSION),
        // Without a binding the broker logs nothing.
        dependency(
            "org.apache.logging.log4j",
            "log4j-slf4j-impl",
            LOG4J_VERSION,
        ),
    ];
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>windlass</groupId><artifactId>kafka</artifactId><version>1</version>\
         <dependencies>{}</dependencies></project>\n",
        dependencies.concat()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn javas_of_all_ages_are_told_apart() {
        for (text, version) in [
            ("openjdk version \"17.0.15\" 2025-04-15", Some(17)),
            ("java version \"1.8.0_401\"", Some(8)),
            ("openjdk version \"25\" 2025-09-16", Some(25)),
            ("openjdk version \"26-ea\" 2026-03-17", Some(26)),
            ("no such thing", None),
        ] {
            assert_eq!(java_version(text), version, "{text}");
        }
    }
}

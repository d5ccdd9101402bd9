//! Kafka's artifacts, by way of Maven.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::process::{exists, read, target};

/// The release that is tested against.
const VERSION: &str = "4.3.1";

/// The class path of all of Kafka's jars; Maven brings them if they are not there yet.
pub(super) fn class_path() -> Result<String, String> {
    let library = library();
    let marker = library.join(format!(".kafka-{VERSION}"));
    if !marker.exists() {
        if !exists("java", "-version") {
            return Err("Apache Kafka needs Java 17, and there is no java".to_owned());
        }
        if !exists("mvn", "-version") {
            return Err("Kafka's jars come by way of Maven, and there is no mvn".to_owned());
        }
        download()?;
        fs::write(&marker, "").map_err(|error| format!("{}: {error}", marker.display()))?;
    }
    Ok(format!("{}/*", library.display()))
}

fn library() -> PathBuf {
    target().join("kafka/lib")
}

fn download() -> Result<(), String> {
    let folder = target().join("kafka");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let pom = folder.join("pom.xml");
    fs::write(&pom, pom_text()).map_err(|error| format!("{}: {error}", pom.display()))?;
    let mut maven = Command::new("mvn");
    maven
        .args([
            "-q",
            "-B",
            "dependency:copy-dependencies",
            "-DoutputDirectory=lib",
        ])
        .current_dir(&folder);
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
        dependency("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4"),
    ];
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>windlass</groupId><artifactId>kafka</artifactId><version>1</version>\
         <dependencies>{}</dependencies></project>\n",
        dependencies.concat()
    )
}

//! `windlass perf`: how much a record costs.

use std::time::{Duration, Instant, SystemTime};

use serde_json::json;
use windlass::{Config, Consumer, OffsetReset};

use crate::admin::Admin;
use crate::arguments::{PerfArguments, set_properties};
use crate::failure::Failure;
use crate::output;

/// After this long without a record there is none to come.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn run(arguments: PerfArguments) -> Result<(), Failure> {
    let config = config(&arguments)?;
    // Says what is wrong where nobody answers, or where there is no such topic.
    Admin::new(&arguments.bootstrap)?
        .partitions(&arguments.topic)
        .await?;
    let mut consumer = Consumer::builder().config(config).build()?;
    let start = Instant::now();
    let mut first_record = None;
    let mut tally = Tally::default();
    let mut last_progress = Instant::now();
    while tally.records < arguments.records {
        let records = consumer.poll(Duration::from_secs(1)).await?;
        if records.is_empty() {
            if last_progress.elapsed() > PATIENCE {
                return Err(Failure::new(format!(
                    "no record for {PATIENCE:?} after {} of {}: has the topic that many?",
                    tally.records, arguments.records
                )));
            }
            continue;
        }
        last_progress = Instant::now();
        first_record.get_or_insert_with(|| start.elapsed());
        for (_, batch) in records.by_partition() {
            for record in batch {
                let record = record?;
                if tally.records < arguments.records {
                    tally.add(record.offset(), record.value().map_or(0, <[u8]>::len));
                }
            }
        }
    }
    let wall = start.elapsed();
    consumer.close(Duration::from_secs(5)).await?;
    let usage = Usage::read();
    output::line(
        &json!({
            "records": tally.records,
            "bytes": tally.bytes,
            "offset_sum": tally.offset_sum,
            "wall_s": wall.as_secs_f64(),
            "first_record_s": first_record.unwrap_or_default().as_secs_f64(),
            "cpu_s": usage.cpu_seconds,
            "rss_mib": usage.peak_resident_mib,
        })
        .to_string(),
    )
}

/// What every record adds to, so that none can be skipped.
#[derive(Default)]
struct Tally {
    records: u64,
    bytes: u64,
    offset_sum: u128,
}

impl Tally {
    fn add(&mut self, offset: i64, length: usize) {
        self.records += 1;
        self.bytes += length as u64;
        self.offset_sum += u128::from(offset.unsigned_abs());
    }
}

fn config(arguments: &PerfArguments) -> Result<Config, Failure> {
    let mut config = Config::default();
    config.set_property("bootstrap.servers", &arguments.bootstrap)?;
    config.group_id = Some(arguments.group.clone().unwrap_or_else(fresh_group));
    config.auto_offset_reset = OffsetReset::Earliest;
    config.topics = vec![arguments.topic.as_str().into()];
    config.max_poll_records = 100_000;
    set_properties(&mut config, &arguments.properties)?;
    Ok(config)
}

fn fresh_group() -> String {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    format!("windlass-perf-{}-{}", std::process::id(), since.as_millis())
}

/// What the operating system counted for this process.
struct Usage {
    cpu_seconds: f64,
    peak_resident_mib: f64,
}

impl Usage {
    /// Reads Linux's own account; elsewhere there is none without unsafe code, and zeros stand for it.
    fn read() -> Self {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            cpu_seconds: cpu_seconds(&stat),
            peak_resident_mib: peak_resident_mib(&status),
        }
    }
}

/// User and system time of `/proc/self/stat`, which counts in hundredths of a second on Linux.
fn cpu_seconds(stat: &str) -> f64 {
    // The name in parentheses may hold anything, so count from the last parenthesis.
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let ticks: u32 = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u32>().ok())
        .sum();
    f64::from(ticks) / 100.0
}

fn peak_resident_mib(status: &str) -> f64 {
    let kibibytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| {
            rest.trim()
                .trim_end_matches(" kB")
                .trim()
                .parse::<u32>()
                .ok()
        });
    f64::from(kibibytes.unwrap_or(0)) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_account_of_the_system() {
        let stat = "42 (a) name) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0 100";
        assert!((cpu_seconds(stat) - 2.0).abs() < 1e-9);
        assert!((peak_resident_mib("VmPeak: 1 kB\nVmHWM:    2048 kB\n") - 2.0).abs() < 1e-9);
    }
}

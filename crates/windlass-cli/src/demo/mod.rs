//! `windlass demo`: a group at work, with nothing but this program.

mod board;
mod member;

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use windlass_broker::EmbeddedCluster;

use self::board::Board;
use self::member::Member;
use crate::arguments::DemoArguments;
use crate::failure::Failure;
use crate::interruption::Interruption;
use crate::produce::{Line, Sender};

const TOPIC: &str = "user-events";
const PARTITIONS: i32 = 6;
const GROUP: &str = "analytics";
const OTHER_GROUP: &str = "audit";

/// What happens in the demonstration, for the board.
#[derive(Debug)]
enum News {
    /// The producer has sent this many records to each partition.
    Produced { each: i64 },
    /// A member got partitions.
    Assigned {
        group: &'static str,
        member: String,
        partitions: Vec<i32>,
    },
    /// A member gave partitions up.
    Revoked {
        group: &'static str,
        member: String,
        partitions: Vec<i32>,
    },
    /// A member has processed a partition up to this offset.
    Position {
        group: &'static str,
        partition: i32,
        offset: i64,
        count: i64,
    },
    /// A step of the story.
    Story(String),
}

pub(crate) async fn run(arguments: DemoArguments) -> Result<(), Failure> {
    let cluster = EmbeddedCluster::builder()
        .topic(TOPIC, PARTITIONS)
        .start()
        .await
        .map_err(|error| Failure::new(format!("the embedded broker cannot start: {error}")))?;
    let bootstrap = cluster.bootstrap_servers();
    let (news, mut inbox) = mpsc::unbounded_channel();
    let length = Duration::from_secs(arguments.seconds);
    let producer = tokio::spawn(produce(bootstrap.clone(), news.clone()));
    let story = tokio::spawn(tell(bootstrap.clone(), length, news));

    let live = std::io::stdout().is_terminal() && !arguments.plain;
    let mut board = Board::new(live, &bootstrap);
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    let mut interruption = Interruption::new()?;
    let end = Instant::now() + length;
    while Instant::now() < end {
        tokio::select! {
            Some(news) = inbox.recv() => board.note(news)?,
            _ = tick.tick() => board.draw()?,
            () = interruption.wait() => {
                story.abort();
                break;
            }
        }
    }
    producer.abort();
    let members = story.await.unwrap_or_default();
    for member in members {
        member.leave().await;
    }
    while let Ok(news) = inbox.try_recv() {
        board.note(news)?;
    }
    board.summary()?;
    cluster.shutdown().await;
    Ok(())
}

/// Sends records to every partition, some every tenth of a second.
async fn produce(bootstrap: String, news: mpsc::UnboundedSender<News>) -> Result<(), Failure> {
    let mut senders = Vec::new();
    for partition in 0..PARTITIONS {
        senders.push(Sender::new(&bootstrap, TOPIC, Some(partition)).await?);
    }
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    let mut each: i64 = 0;
    loop {
        tick.tick().await;
        for sender in &mut senders {
            let lines = (0..10)
                .map(|index| Line {
                    key: None,
                    value: format!("event {}", each + index).into_bytes(),
                })
                .collect();
            sender.send(lines).await?;
        }
        each += 10;
        if news.send(News::Produced { each }).is_err() {
            return Ok(());
        }
    }
}

/// Lets members come, leave and crash, evenly over the time there is; gives back who is left.
async fn tell(
    bootstrap: String,
    length: Duration,
    news: mpsc::UnboundedSender<News>,
) -> Vec<Member> {
    let step = length / 6;
    let start = |group, name: &str| Member::start(&bootstrap, group, name, news.clone());
    let say = |text: &str| drop(news.send(News::Story(text.to_owned())));

    say("three members share six partitions; group `audit` reads the same topic for itself");
    let mut members = vec![
        start(GROUP, "anna"),
        start(GROUP, "ben"),
        start(GROUP, "cleo"),
    ];
    members.push(start(OTHER_GROUP, "olga"));
    tokio::time::sleep(step).await;

    say("a fourth member joins: dora");
    members.push(start(GROUP, "dora"));
    tokio::time::sleep(step).await;

    say("ben leaves: he commits and says good-bye, the others take over at once");
    members.remove(1).leave().await;
    tokio::time::sleep(step).await;

    say("cleo crashes: nobody is told, the coordinator notices after the session timeout");
    members.remove(1).crash();
    tokio::time::sleep(step + step / 2).await;

    say("the end: everybody commits and leaves");
    members
}

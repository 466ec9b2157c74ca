//! What a database knows of a Flink job that stores orders in it: whether it is the job's turn, and what the job has counted.

use std::time::Duration;

use coffee_rt_actors::domain::{Item, Menu};
use coffee_rt_actors::ports::{Engine, StoreError};
use sqlx::{Connection, Executor, PgConnection};

use super::errors::classify;
use super::{PostgresStore, schema};
use crate::adapters::within;

/// How long attaching and detaching may be tried: each try gives up after two seconds behind others' locks.
const ATTACH_LIMIT: Duration = Duration::from_secs(30);
/// The pause between two tries.
const ATTACH_PAUSE: Duration = Duration::from_millis(250);
/// How long any other statement may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

const ATTACH: &str = include_str!("../../../deploy/flink/attach.sql");
const DETACH: &str = include_str!("../../../deploy/flink/detach.sql");

const READ_TURN: &str = "SELECT engine, checkpoint FROM coffee_rt.engines WHERE source = $1";
const GIVE_TURN: &str = "INSERT INTO coffee_rt.engines AS e (source, engine, checkpoint) VALUES ($1, $2, $3)
    ON CONFLICT (source) DO UPDATE SET engine = excluded.engine, checkpoint = excluded.checkpoint, changed_at = now()";
/// Only news are written, and only while there is a job: several nodes tell the same.
const NOTE_CHECKPOINT: &str = "UPDATE coffee_rt.engines SET checkpoint = $2
    WHERE source = $1 AND engine = 'flink' AND checkpoint IS DISTINCT FROM $2";
const PROGRESS: &str = "SELECT coalesce(sum(seq), 0)::bigint FROM coffee_rt.shards WHERE source = 'flink'";
const TRY_LOCK: &str = "SELECT pg_try_advisory_lock(hashtext('coffee_rt.flink.job'))";

/// The job's turn, before it has begun.
const MOVING: &str = "moving";

/// Whose turn it is to store a log's orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who stores.
    pub engine: Engine,
    /// Whether the job is yet to begin where the actors were.
    pub moving: bool,
    /// Where a job that is gone can be taken up again.
    pub checkpoint: Option<String>,
}

/// The menu's names with the numbers that rows have in their place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MenuNumbers {
    /// Drinks.
    pub drinks: Vec<(Item, i16)>,
    /// Stores.
    pub stores: Vec<(Item, i16)>,
}

/// The right to submit, restore or stop the job, one at a time in a database. Ends with its connection.
pub struct JobLock(PgConnection);

impl PostgresStore {
    /// Whose turn it is.
    ///
    /// # Errors
    /// [`StoreError::Away`] or [`StoreError::Refused`].
    pub async fn turn(&self, source: &'static str) -> Result<Turn, StoreError> {
        self.core
            .read("whose turn", move |conn| Box::pin(turn(conn, source)))
            .await
    }

    /// Notes where a job that is gone can be taken up again.
    ///
    /// # Errors
    /// [`StoreError::Away`] or [`StoreError::Refused`].
    pub async fn note_checkpoint(&self, source: &'static str, checkpoint: &str) -> Result<(), StoreError> {
        let path = checkpoint.to_owned();
        self.core
            .read("note a checkpoint", move |conn| Box::pin(note(conn, source, path)))
            .await
    }

    /// Grows whenever a job has stored something.
    ///
    /// # Errors
    /// [`StoreError::Away`] or [`StoreError::Refused`].
    pub async fn job_progress(&self) -> Result<i64, StoreError> {
        self.core
            .read("the job's progress", |conn| {
                Box::pin(sqlx::query_scalar(PROGRESS).fetch_one(conn))
            })
            .await
    }

    /// The right to do something with the job; none where somebody else has it.
    ///
    /// # Errors
    /// [`StoreError::Away`] or [`StoreError::Refused`].
    pub async fn lock_job(&self) -> Result<Option<JobLock>, StoreError> {
        self.core.prepare().await?;
        let mut conn = self.core.connect(&[]).await?;
        let taken = sqlx::query_scalar(TRY_LOCK).fetch_one(&mut conn);
        let taken = async { taken.await.map_err(|error| classify(&error).error) };
        let taken: bool = within(ANSWER_LIMIT, "lock the job", taken).await?;
        Ok(taken.then_some(JobLock(conn)))
    }
}

async fn turn(conn: &mut PgConnection, source: &str) -> Result<Turn, sqlx::Error> {
    let row: Option<(String, Option<String>)> = sqlx::query_as(READ_TURN).bind(source).fetch_optional(conn).await?;
    let (engine, checkpoint) = row.unwrap_or_else(|| (Engine::Actors.name().to_owned(), None));
    Ok(Turn {
        engine: if engine == Engine::Actors.name() {
            Engine::Actors
        } else {
            Engine::Flink
        },
        moving: engine == MOVING,
        checkpoint,
    })
}

async fn note(conn: &mut PgConnection, source: &str, checkpoint: String) -> Result<(), sqlx::Error> {
    let noted = sqlx::query(NOTE_CHECKPOINT)
        .bind(source)
        .bind(checkpoint)
        .execute(conn)
        .await;
    noted.map(drop)
}

impl JobLock {
    /// Whose turn it is, now that nobody else changes it.
    ///
    /// # Errors
    /// [`StoreError::Away`] or [`StoreError::Refused`].
    pub async fn turn(&mut self, source: &str) -> Result<Turn, StoreError> {
        let turn = async { turn(&mut self.0, source).await.map_err(|error| classify(&error).error) };
        within(ANSWER_LIMIT, "read whose turn it is", turn).await
    }

    /// Makes it somebody's turn.
    ///
    /// # Errors
    /// [`StoreError::Away`] leaves it open whether it is; doing it again is safe.
    pub async fn give_turn(&mut self, source: &str, to: &Turn) -> Result<(), StoreError> {
        let name = if to.moving { MOVING } else { to.engine.name() };
        let given = sqlx::query(GIVE_TURN).bind(source).bind(name).bind(&to.checkpoint);
        let given = async { given.execute(&mut self.0).await.map_err(|error| classify(&error).error) };
        within(ANSWER_LIMIT, "say whose turn it is", given).await.map(drop)
    }

    /// Has the database count what a job stores.
    ///
    /// # Errors
    /// [`StoreError::Away`] or [`StoreError::Refused`].
    pub async fn attach(&mut self) -> Result<(), StoreError> {
        self.until_done("attach", ATTACH).await
    }

    /// Has the database refuse what a job stores.
    ///
    /// # Errors
    /// [`StoreError::Away`] or [`StoreError::Refused`].
    pub async fn detach(&mut self) -> Result<(), StoreError> {
        self.until_done("detach", DETACH).await
    }

    /// The numbers of the menu's names.
    ///
    /// # Errors
    /// [`StoreError::Away`] or [`StoreError::Refused`].
    pub async fn menu_numbers(&mut self, menu: &Menu) -> Result<MenuNumbers, StoreError> {
        let catalog = within(
            ANSWER_LIMIT,
            "read the menu's numbers",
            schema::read_catalog(&mut self.0),
        )
        .await?;
        let numbered = |items: &[Item], number: &dyn Fn(&str) -> Option<i16>| {
            let all = items.iter().map(|item| Some((item.clone(), number(item)?)));
            let all: Option<Vec<_>> = all.collect();
            all.ok_or_else(|| StoreError::Refused("the database does not know all names of the menu".to_owned()))
        };
        Ok(MenuNumbers {
            drinks: numbered(&menu.drinks, &|name| catalog.drink(name))?,
            stores: numbered(&menu.stores, &|name| catalog.store(name))?,
        })
    }

    /// Runs a script, again and again while others' locks are in its way.
    async fn until_done(&mut self, what: &str, script: &'static str) -> Result<(), StoreError> {
        let began = tokio::time::Instant::now();
        loop {
            let run = async { self.0.execute(script).await.map_err(|error| classify(&error).error) };
            match within(ATTACH_LIMIT, what, run).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Away(_)) if began.elapsed() < ATTACH_LIMIT => {
                    // A script that failed leaves its transaction open.
                    let _ = self.0.execute("ROLLBACK").await;
                    tokio::time::sleep(ATTACH_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the right back at once.
    pub async fn release(self) {
        let _ = self.0.close().await;
    }
}

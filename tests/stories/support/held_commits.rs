//! A lock in a PostgreSQL, behind which commits wait.

use sqlx::{Connection, Executor, PgConnection};
use uuid::Uuid;

use super::{Database, eventually};

const WAITING: &str = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
    AND query LIKE '%INSERT INTO coffee_rt.order_rows%'";

/// The lock; gone with it.
pub struct HeldCommits(PgConnection);

impl HeldCommits {
    /// Every commit waits.
    pub async fn of(database: &Database) -> Self {
        Self::by(database, "LOCK TABLE coffee_rt.order_rows IN EXCLUSIVE MODE").await
    }

    /// Only a commit that stores the order with this key waits.
    pub async fn of_order(database: &Database, key: Uuid) -> Self {
        let row = format!(
            "INSERT INTO coffee_rt.order_rows (message_id, ordered_us, price_cents, drink_id, store_id)
            VALUES ('{key}', 0, 0, 0, 0)"
        );
        Self::by(database, &row).await
    }

    async fn by(database: &Database, lock: &str) -> Self {
        let mut conn = PgConnection::connect(database.direct_url().unwrap()).await.unwrap();
        for statement in ["BEGIN", lock] {
            conn.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statement)))
                .await
                .unwrap();
        }
        Self(conn)
    }

    /// Waits until a commit is under way.
    pub async fn until_one_waits(&mut self) {
        let conn = &mut self.0;
        eventually("a commit waits for the lock", async || {
            // What a transaction has once read of the activity stays as it was.
            conn.execute("SELECT pg_stat_clear_snapshot()").await.unwrap();
            let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) {WAITING}"));
            let waiting: i64 = sqlx::query_scalar(sql).fetch_one(&mut *conn).await.unwrap();
            if waiting > 0 {
                Ok(())
            } else {
                Err("none does".to_owned())
            }
        })
        .await;
    }

    /// Ends the commits that wait, which are not made then.
    pub async fn end_those_that_wait(&mut self) {
        let sql = sqlx::AssertSqlSafe(format!("SELECT pg_terminate_backend(pid) {WAITING}"));
        let ended: Vec<bool> = sqlx::query_scalar(sql).fetch_all(&mut self.0).await.unwrap();
        assert!(ended.contains(&true), "{ended:?}");
    }

    /// Lets commits go on.
    pub async fn release(mut self) {
        self.0.execute("ROLLBACK").await.unwrap();
    }
}

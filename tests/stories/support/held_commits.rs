//! A lock on the orders of a PostgreSQL, behind which every commit waits.

use sqlx::{Connection, Executor, PgConnection};

use super::{Database, eventually};

/// The lock; gone with it.
pub struct HeldCommits(PgConnection);

impl HeldCommits {
    pub async fn of(database: &Database) -> Self {
        let mut conn = PgConnection::connect(database.direct_url().unwrap()).await.unwrap();
        let lock = "BEGIN; LOCK TABLE coffee_rt.order_rows IN EXCLUSIVE MODE";
        conn.execute(sqlx::raw_sql(lock)).await.unwrap();
        Self(conn)
    }

    /// Waits until a commit is under way.
    pub async fn until_one_waits(&mut self) {
        let conn = &mut self.0;
        eventually("a commit waits for the lock", async || {
            let sql = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'coffee_rt.order_rows'::regclass";
            let waiting: i64 = sqlx::query_scalar(sql).fetch_one(&mut *conn).await.unwrap();
            if waiting > 0 {
                Ok(())
            } else {
                Err("none does".to_owned())
            }
        })
        .await;
    }

    /// Lets commits go on.
    pub async fn release(mut self) {
        self.0.execute("ROLLBACK").await.unwrap();
    }
}

//! Migrations and the catalog of names.

use coffee_rt_actors::domain::{Item, Menu};
use coffee_rt_actors::ports::StoreError;
use sqlx::PgConnection;
use sqlx::migrate::Migrator;

use super::errors::{classify, classify_migration};
use crate::adapters::catalog::Catalog;
use crate::adapters::migrations::{Applied, Migration, compare};

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("migrations/postgres");
    migrator.dangerous_set_table_name("coffee_rt._sqlx_migrations");
    // Those of a newer version are made so that this one works on, in a rollout and after a rollback.
    migrator.set_ignore_missing(true);
    migrator
}

/// Which migrations the database has.
pub(super) async fn status(conn: &mut PgConnection) -> Result<Vec<Migration>, StoreError> {
    let failed = |error: sqlx::Error| classify(&error).error;
    let present = "SELECT to_regclass('coffee_rt._sqlx_migrations') IS NOT NULL";
    let present: bool = sqlx::query_scalar(present)
        .fetch_one(&mut *conn)
        .await
        .map_err(failed)?;
    let applied =
        "SELECT version, description, to_char(installed_on AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
        FROM coffee_rt._sqlx_migrations WHERE success";
    let applied: Vec<Applied> = if present {
        sqlx::query_as(applied).fetch_all(conn).await.map_err(failed)?
    } else {
        Vec::new()
    };
    Ok(compare(&migrator(), &applied))
}

/// Brings the schema up to date. sqlx holds an advisory lock meanwhile, so nodes that start together take turns.
pub(super) async fn migrate(conn: &mut PgConnection) -> Result<(), StoreError> {
    // A migration may rightly take longer than an order's statement; the caller bounds it.
    run(conn, "SET statement_timeout = 0").await?;
    let present = "SELECT to_regnamespace('coffee_rt') IS NOT NULL";
    let present: bool = sqlx::query_scalar(present)
        .fetch_one(&mut *conn)
        .await
        .map_err(|e| classify(&e).error)?;
    let mut migrator = migrator();
    if !present {
        // Creating a schema needs a right that is not needed where an operator has made it already.
        migrator.create_schema("coffee_rt");
    }
    migrator
        .run_direct(None, conn, false)
        .await
        .map_err(|error| classify_migration(&error))
}

/// Adds the menu's names that the catalog lacks.
pub(super) async fn add_names(conn: &mut PgConnection, menu: &Menu) -> Result<(), StoreError> {
    // Known names are left out first: a conflict would use up a number, of which there are 32,767.
    let drinks = "INSERT INTO coffee_rt.drinks (name) SELECT name FROM unnest($1::text[]) AS name
        WHERE NOT EXISTS (SELECT FROM coffee_rt.drinks AS d WHERE d.name = name.name) ON CONFLICT DO NOTHING";
    let stores = "INSERT INTO coffee_rt.stores (name) SELECT name FROM unnest($1::text[]) AS name
        WHERE NOT EXISTS (SELECT FROM coffee_rt.stores AS s WHERE s.name = name.name) ON CONFLICT DO NOTHING";
    for (sql, names) in [(drinks, &menu.drinks), (stores, &menu.stores)] {
        let names: Vec<&str> = names.iter().map(Item::as_ref).collect();
        sqlx::query(sql)
            .bind(names)
            .execute(&mut *conn)
            .await
            .map_err(|error| classify(&error).error)?;
    }
    Ok(())
}

/// Reads all names.
pub(super) async fn read_catalog(conn: &mut PgConnection) -> Result<Catalog, StoreError> {
    let drinks = sqlx::query_as("SELECT id, name FROM coffee_rt.drinks")
        .fetch_all(&mut *conn)
        .await;
    let stores = sqlx::query_as("SELECT id, name FROM coffee_rt.stores")
        .fetch_all(&mut *conn)
        .await;
    Ok(Catalog::new(
        drinks.map_err(|e| classify(&e).error)?,
        stores.map_err(|e| classify(&e).error)?,
    ))
}

async fn run(conn: &mut PgConnection, sql: &'static str) -> Result<(), StoreError> {
    sqlx::query(sql)
        .execute(conn)
        .await
        .map(|_| ())
        .map_err(|error| classify(&error).error)
}

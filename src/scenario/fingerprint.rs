//! What a PostgreSQL holds in one short text, to compare what different engines made of the same orders.

use sqlx::{Connection, PgConnection};

/// Names in the place of numbers: databases may number them differently. Without ids, which are given in the order of storing.
const FINGERPRINT: &str = "SELECT md5((
        SELECT string_agg(concat_ws('|', o.message_id, o.ordered_us, o.price_cents, d.name, s.name), ';' ORDER BY o.message_id)
        FROM coffee_rt.order_rows AS o
        JOIN coffee_rt.drinks AS d ON d.id = o.drink_id
        JOIN coffee_rt.stores AS s ON s.id = o.store_id
    ) || (
        SELECT string_agg(concat_ws('|', minute, store, drink, orders, cents), ';' ORDER BY minute, store, drink)
        FROM (
            SELECT minute, s.name AS store, d.name AS drink, sum(orders) AS orders, sum(cents) AS cents
            FROM coffee_rt.rollups
            JOIN coffee_rt.drinks AS d ON d.id = drink_id
            JOIN coffee_rt.stores AS s ON s.id = store_id
            GROUP BY 1, 2, 3
        ) AS counted
    ))";

/// A hash of all orders and of all that is counted of them; none where there is no order.
///
/// # Errors
/// Where the database does not answer.
pub async fn fingerprint(database_url: &str) -> Result<Option<String>, sqlx::Error> {
    let mut conn = PgConnection::connect(database_url).await?;
    let hash = sqlx::query_scalar(FINGERPRINT).fetch_one(&mut conn).await?;
    conn.close().await?;
    Ok(hash)
}

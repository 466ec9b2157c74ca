//! Runs statements through Flink's SQL gateway
//! (<https://nightlies.apache.org/flink/flink-docs-stable/docs/dev/table/sql-gateway/rest/>).

use std::time::Duration;

use coffee_rt_actors::ports::EngineError;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::rest::Rest;

/// How long one statement may take: the last one makes the plan and submits the job.
const STATEMENT_LIMIT: Duration = Duration::from_secs(60);
/// The pause between two looks whether it is done.
const STATEMENT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Session {
    session_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Operation {
    operation_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Results {
    result_type: String,
}

/// Runs statements one after the other in a session of their own.
pub(super) async fn run(gateway: &Rest, statements: &[String]) -> Result<(), EngineError> {
    let opened: Session = gateway
        .post("/v3/sessions", &json!({"sessionName": "coffee-rt"}))
        .await?;
    let session = format!("/v3/sessions/{}", opened.session_handle);
    let done = run_all(gateway, &session, statements).await;
    if let Err(error) = gateway.order(Method::DELETE, &session).await {
        tracing::debug!(%error, "the gateway ends the session by itself");
    }
    done
}

async fn run_all(gateway: &Rest, session: &str, statements: &[String]) -> Result<(), EngineError> {
    for statement in statements {
        run_one(gateway, session, statement).await?;
    }
    Ok(())
}

async fn run_one(gateway: &Rest, session: &str, statement: &str) -> Result<(), EngineError> {
    let body: Value = json!({"statement": statement});
    let begun: Operation = gateway.post(&format!("{session}/statements"), &body).await?;
    let path = format!(
        "{session}/operations/{}/result/0?rowFormat=JSON",
        begun.operation_handle
    );
    let began = Instant::now();
    loop {
        let results: Results = gateway.get(&path).await?;
        if results.result_type != "NOT_READY" {
            return Ok(());
        }
        if began.elapsed() > STATEMENT_LIMIT {
            let what = statement.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
            return Err(EngineError::Away(format!(
                "the gateway was not done with {what} … within {STATEMENT_LIMIT:?}"
            )));
        }
        sleep(STATEMENT_PAUSE).await;
    }
}

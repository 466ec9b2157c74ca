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
    #[serde(rename = "jobID")]
    job_id: Option<String>,
}

/// Runs statements one after the other in a session of their own; tells the job that the last one made.
pub(super) async fn run(gateway: &Rest, statements: &[String]) -> Result<Option<String>, EngineError> {
    let opened: Session = gateway
        .post("/v3/sessions", &json!({"sessionName": "coffee-rt"}))
        .await?;
    let session = format!("/v3/sessions/{}", opened.session_handle);
    let mut job = Ok(None);
    for statement in statements {
        job = run_one(gateway, &session, statement).await;
        if job.is_err() {
            break;
        }
    }
    if let Err(error) = gateway.order(Method::DELETE, &session).await {
        tracing::debug!(%error, "the gateway ends the session by itself");
    }
    job
}

async fn run_one(gateway: &Rest, session: &str, statement: &str) -> Result<Option<String>, EngineError> {
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
            return Ok(results.job_id);
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

//! Why no broker can be reached, as a client that tries anew is told: a wrong password, a certificate that nobody trusts, a
//! name that means nothing. Clients that go on trying repeat it twice a minute only, or have no thread that listens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use coffee_rt_actors::log_watch::ROUND_LIMIT;
use coffee_rt_actors::ports::LogError;
use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;

use super::client::{ANSWER_TIMEOUT, ClientSettings, NO_BROKER, blocking};

/// How long a client tries, after a question that was not answered.
const TRIAL: Duration = Duration::from_secs(2);
const _: () = assert!(ANSWER_TIMEOUT.as_millis() + TRIAL.as_millis() < ROUND_LIMIT.as_millis());
/// How often it is looked whether there is a reason.
const LOOK: Duration = Duration::from_millis(100);
/// How long a reason holds: each trial costs threads and connections.
const REASON_AGE: Duration = Duration::from_secs(10);

/// What a client was told that tried anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trial {
    /// It got an answer.
    Answered,
    /// Why there is none.
    Refused(String),
    /// Nothing.
    Silent,
}

impl Trial {
    /// That no broker can be reached, and why.
    pub(super) fn away<T>(self) -> Result<T, LogError> {
        Err(LogError::Away(match self {
            Self::Refused(reason) => format!("{NO_BROKER}: {reason}"),
            Self::Answered | Self::Silent => NO_BROKER.to_owned(),
        }))
    }
}

/// The last trial, and when it was.
pub(super) type LastTrial = Mutex<Option<(Instant, Trial)>>;

impl ClientSettings {
    /// An answer; where no broker could be reached, with the reason.
    pub(super) async fn or_reason<T>(&self, answer: Result<T, LogError>) -> Result<T, LogError> {
        match answer {
            Err(LogError::Away(away)) if away == NO_BROKER => self.trial().await.away(),
            answer => answer,
        }
    }

    /// What a client is told that tries anew, as of the last ten seconds where it got no answer.
    pub(super) async fn trial(&self) -> Trial {
        let known = self.last_trial.lock().clone();
        if let Some((_, trial)) = known.filter(|(when, trial)| when.elapsed() < REASON_AGE && *trial != Trial::Answered)
        {
            return trial;
        }
        let settings = self.clone();
        let trial = blocking(move || Ok(try_anew(&settings))).await.unwrap_or(Trial::Silent);
        *self.last_trial.lock() = Some((Instant::now(), trial.clone()));
        trial
    }
}

/// Has a new client ask for the topic. Blocks.
fn try_anew(settings: &ClientSettings) -> Trial {
    let told = Arc::new(Mutex::new(None));
    let Ok(client) = BaseConsumer::from_config_and_context(&settings.config(), Listener(told.clone())) else {
        return Trial::Silent;
    };
    let until = Instant::now() + TRIAL;
    while Instant::now() < until {
        if client.fetch_metadata(Some(&settings.names.topic), LOOK).is_ok() {
            return Trial::Answered;
        }
        // What it is told is told on by whoever polls it.
        let _ = client.poll(Duration::ZERO);
        if let Some(reason) = told.lock().take() {
            return Trial::Refused(reason);
        }
    }
    Trial::Silent
}

/// Keeps what is said about a connection that failed.
struct Listener(Arc<Mutex<Option<String>>>);

impl ClientContext for Listener {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == "FAIL" {
            self.0.lock().get_or_insert_with(|| said(message).to_owned());
        }
    }

    fn error(&self, _: KafkaError, _: &str) {}
}

impl ConsumerContext for Listener {}

/// A message without the name of the thread before it and the milliseconds behind it.
fn said(message: &str) -> &str {
    let said = message.split_once("]: ").map_or(message, |(_, said)| said);
    said.rsplit_once(" (after ").map_or(said, |(said, _)| said)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::client::Names;
    use super::*;

    #[test]
    fn a_message_is_cut_to_what_it_says() {
        let message = "[thrd:sasl_ssl://kafka:9093/bootstrap]: sasl_ssl://kafka:9093/bootstrap: SASL authentication error: no \
                       (after 306ms in state AUTH_REQ)";
        let wanted = "sasl_ssl://kafka:9093/bootstrap: SASL authentication error: no";
        assert_eq!((said(message), said("disk full")), (wanted, "disk full"));
    }

    #[tokio::test]
    async fn who_is_not_there_is_said() {
        // Nobody listens on this port.
        let names = Names::new("orders", "order-workers");
        let settings = ClientSettings::new("127.0.0.1:1", names, &BTreeMap::new()).unwrap();
        let away = settings
            .or_reason::<()>(Err(LogError::Away(NO_BROKER.to_owned())))
            .await;
        let away = away.unwrap_err().to_string();
        assert!(away.contains("127.0.0.1:1") && away.contains("refused"), "{away}");
        let other = Err(LogError::Away("the coordinator is not there".to_owned()));
        assert_eq!(settings.or_reason::<()>(other.clone()).await, other);
    }
}

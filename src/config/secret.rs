//! Settings that are never shown.

use std::collections::BTreeMap;
use std::fmt;

use figment::value::{Dict, Value};
use serde::{Deserialize, Serialize, Serializer};

/// What stands in the place of a secret.
pub(super) const MASK: &str = "***";

/// A text that is never shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether this is what is shown in a secret's place: printed settings that were read back.
    pub(super) fn is_masked(&self) -> bool {
        self.0 == MASK
    }

    /// Compares in a time that does not tell how much of it is right.
    #[must_use]
    pub fn matches(&self, given: &str) -> bool {
        let differing = self
            .0
            .bytes()
            .zip(given.bytes())
            .fold(0, |found, (a, b)| found | (a ^ b));
        self.0.len() == given.len() && differing == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

/// A URL of a database or a Redis, shown without its password.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct ServiceUrl(String);

impl From<&str> for ServiceUrl {
    fn from(url: &str) -> Self {
        Self(url.to_owned())
    }
}

impl ServiceUrl {
    /// The URL itself, password and all.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether it is a URL of one of these schemes.
    pub(super) fn has_scheme(&self, schemes: &[&str]) -> bool {
        url::Url::parse(&self.0).is_ok_and(|url| schemes.contains(&url.scheme()))
    }

    pub(super) fn is_masked(&self) -> bool {
        url::Url::parse(&self.0).is_ok_and(|url| {
            url.password() == Some(MASK)
                || url
                    .query_pairs()
                    .any(|(name, value)| name.contains("password") && value == MASK)
        })
    }

    fn masked(&self) -> String {
        let Ok(mut url) = url::Url::parse(&self.0) else {
            return MASK.to_owned();
        };
        if url.password().is_some() && url.set_password(Some(MASK)).is_err() {
            return MASK.to_owned();
        }
        let parameters: Vec<_> = url.query_pairs().into_owned().collect();
        if parameters.iter().any(|(name, _)| name.contains("password")) {
            url.query_pairs_mut().clear().extend_pairs(
                parameters
                    .iter()
                    .map(|(name, value)| (name, if name.contains("password") { MASK } else { value })),
            );
        }
        url.to_string()
    }
}

impl fmt::Debug for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl Serialize for ServiceUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.masked())
    }
}

/// Settings of a client by their names, shown without those that may be secrets.
#[derive(Clone, Default, Deserialize)]
#[serde(try_from = "Dict")]
pub struct ClientTable(BTreeMap<String, String>);

/// Parts of names whose values are not shown.
const SECRET_NAMES: [&str; 7] = ["password", "secret", "key", "token", "oauthbearer", "pem", "jaas"];

impl ClientTable {
    /// The settings, secrets and all.
    #[must_use]
    pub fn reveal(&self) -> BTreeMap<String, String> {
        self.0.clone()
    }

    /// Sets one as it stands, whatever it was before.
    pub(super) fn set(&mut self, name: String, value: String) {
        self.0.insert(name, value);
    }

    pub(super) fn is_masked(&self) -> bool {
        self.0.values().any(|value| value == MASK)
    }

    fn masked(&self) -> BTreeMap<&str, &str> {
        let is_secret = |name: &str| SECRET_NAMES.iter().any(|part| name.contains(part));
        let shown = self.0.iter().map(|(name, value)| {
            let value = if is_secret(name) { MASK } else { value };
            (name.as_str(), value)
        });
        shown.collect()
    }
}

/// A name's parts may stand in tables of their own, as files have `sasl.password = …` and variables `SASL__PASSWORD`.
impl TryFrom<Dict> for ClientTable {
    type Error = String;

    fn try_from(table: Dict) -> Result<Self, String> {
        let mut settings = BTreeMap::new();
        flatten("", table, &mut settings)?;
        Ok(Self(settings))
    }
}

fn flatten(before: &str, table: Dict, settings: &mut BTreeMap<String, String>) -> Result<(), String> {
    for (name, value) in table {
        let name = format!("{before}{name}");
        if let Value::Dict(_, table) = value {
            flatten(&format!("{name}."), table, settings)?;
            continue;
        }
        let Some(text) = text(&value) else {
            return Err(format!("{name} must be a text, a whole number, true or false"));
        };
        if settings.insert(name.clone(), text).is_some() {
            return Err(format!("{name} is there twice"));
        }
    }
    Ok(())
}

/// What a value is as text. A fraction has none: its last zeros, which may be a password's, are lost already.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Char(_, letter) => Some(letter.to_string()),
        Value::Bool(_, on) => Some(on.to_string()),
        other => {
            let signed = other.to_i128().map(|number| number.to_string());
            signed.or_else(|| other.to_u128().map(|number| number.to_string()))
        }
    }
}

impl fmt::Debug for ClientTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.masked().fmt(f)
    }
}

impl Serialize for ClientTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.masked().serialize(serializer)
    }
}

//! The node's own documents, and what real answers and frames are held against.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use jsonschema::{Draft, Registry, Validator};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::support::wire::request;
use crate::support::{Node, Reply, Wire};

/// Where references of the documents are resolved; nothing is asked there.
const BASE: &str = "http://node";
/// Both documents, as they refer to each other.
const OPENAPI: &str = "/api/openapi.json";
const ASYNCAPI: &str = "/api/asyncapi.json";

pub struct Spec {
    pub openapi: Value,
    pub asyncapi: Value,
    registry: Registry<'static>,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
    /// Operations and the statuses that they were answered with.
    seen: Mutex<BTreeSet<(String, String)>>,
}

impl Spec {
    /// As the node tells them.
    pub async fn of(node: &Node) -> Self {
        let get = async |path: &str| {
            let asked = request(&format!("GET {path}"), &[], b"");
            let reply = Wire::connect(node).await.exchange(&asked).await.unwrap();
            assert_eq!(reply.status, 200, "{path}");
            reply.json()
        };
        let (openapi, asyncapi) = (get(OPENAPI).await, get(ASYNCAPI).await);
        let registry = Registry::new()
            .draft(Draft::Draft202012)
            .add(format!("{BASE}{OPENAPI}"), openapi.clone())
            .and_then(|registry| registry.add(format!("{BASE}{ASYNCAPI}"), asyncapi.clone()))
            .and_then(|registry| registry.prepare());
        Self {
            registry: registry.unwrap(),
            openapi,
            asyncapi,
            validators: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    /// Methods, in capitals, and paths.
    pub fn operations(&self) -> Vec<(String, String)> {
        let paths = self.openapi["paths"].as_object().unwrap().iter();
        let methods = |item: &Value| item.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        paths
            .flat_map(|(path, item)| {
                let methods = methods(item).into_iter();
                methods.map(|method| (method.to_ascii_uppercase(), path.clone()))
            })
            .collect()
    }

    /// The documented path that an asked one is.
    pub fn template_of(&self, asked: &str) -> Option<&str> {
        let asked = asked.split('?').next().unwrap_or_default();
        let mut templates = self.openapi["paths"].as_object().unwrap().keys();
        templates
            .find(|template| match template.split_once('{') {
                None => template.as_str() == asked,
                Some((before, rest)) => {
                    let after = rest.split_once('}').map_or("", |(_, after)| after);
                    let middle = asked.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
                    middle.is_some_and(|middle| !middle.is_empty())
                }
            })
            .map(String::as_str)
    }

    /// What a pointer into the OpenAPI document leads to, behind all references, and where that is.
    pub fn follow(&self, pointer: &str) -> Option<(String, &Value)> {
        let mut pointer = pointer.to_owned();
        loop {
            let found = self.openapi.pointer(&pointer)?;
            match found.get("$ref").and_then(Value::as_str) {
                Some(reference) => pointer = reference.strip_prefix('#')?.to_owned(),
                None => return Some((pointer, found)),
            }
        }
    }

    /// Holds an answer against what is documented for an operation.
    pub fn judge(&self, method: &str, path: &str, reply: &Reply) -> Result<(), String> {
        let operation = format!("{method} {path}");
        let status = reply.status.to_string();
        let pointer = format!("/paths/{}/{}/responses/{status}", escaped(path), method.to_lowercase());
        let (pointer, response) = self
            .follow(&pointer)
            .ok_or_else(|| format!("{operation}: {status} is not documented: {reply:?}"))?;
        self.judge_response(&pointer, response, reply)
            .map_err(|wrong| format!("{operation}: {status}: {wrong}: {reply:?}"))?;
        self.seen.lock().insert((operation, status));
        Ok(())
    }

    /// Holds an answer against one of the responses that any path may give.
    pub fn judge_as(&self, name: &str, reply: &Reply) -> Result<(), String> {
        let pointer = format!("/components/responses/{name}");
        let (pointer, response) = self.follow(&pointer).ok_or_else(|| format!("no response {name}"))?;
        self.judge_response(&pointer, response, reply)
            .map_err(|wrong| format!("{name}: {wrong}: {reply:?}"))
    }

    fn judge_response(&self, pointer: &str, response: &Value, reply: &Reply) -> Result<(), String> {
        let none = Map::new();
        for name in response["headers"].as_object().unwrap_or(&none).keys() {
            self.judge_header(&format!("{pointer}/headers/{}", escaped(name)), name, reply)?;
        }
        let Some(content) = response["content"].as_object() else {
            return match reply.body.is_empty() {
                true => Ok(()),
                false => Err("a body that is not documented".to_owned()),
            };
        };
        let media = reply.header("content-type").unwrap_or_default();
        let key = [media, "*/*"].into_iter().find(|key| content.contains_key(*key));
        let key = key.ok_or_else(|| format!("the content type {media} is not documented"))?;
        if content[key]["schema"].is_null() {
            return Ok(());
        }
        let body = match media.contains("json") {
            true => serde_json::from_str(&reply.body).map_err(|error| error.to_string())?,
            false => Value::String(reply.body.clone()),
        };
        let schema = format!("{OPENAPI}#{pointer}/content/{}/schema", escaped(key));
        self.check(&schema, &body)
    }

    fn judge_header(&self, pointer: &str, name: &str, reply: &Reply) -> Result<(), String> {
        let (pointer, header) = self.follow(pointer).ok_or("a reference to nothing")?;
        let Some(value) = reply.header(&name.to_ascii_lowercase()) else {
            return match header["required"] == true {
                true => Err(format!("the header {name} is missing")),
                false => Ok(()),
            };
        };
        let value = match header["schema"]["type"] == "integer" {
            true => value.parse::<u64>().map_or(Value::Null, Value::from),
            false => Value::from(value),
        };
        self.check(&format!("{OPENAPI}#{pointer}/schema"), &value)
            .map_err(|wrong| format!("the header {name}: {wrong}"))
    }

    /// Holds a frame of a socket against its message.
    pub fn judge_frame(&self, path: &str, text: &str) -> Result<(), String> {
        let channels = self.asyncapi["channels"].as_object().unwrap().values();
        let channel = channels.into_iter().find(|channel| channel["address"] == path);
        let messages = channel.and_then(|channel| channel["messages"].as_object());
        let message = messages.and_then(|messages| messages.values().next()?["$ref"].as_str());
        let message = message.ok_or_else(|| format!("{path} is not documented"))?;
        let frame = serde_json::from_str(text).map_err(|error| error.to_string())?;
        self.check(&format!("{ASYNCAPI}{message}/payload/schema"), &frame)
            .map_err(|wrong| format!("{path}: {wrong}: {text}"))
    }

    /// Holds a value against the schema at a place of the documents.
    pub fn check(&self, place: &str, value: &Value) -> Result<(), String> {
        let validator = self.validator(place);
        let told = |error: jsonschema::ValidationError<'_>| {
            format!("{} {error} ({})", error.instance_path(), error.schema_path())
        };
        let wrong: Vec<_> = validator.iter_errors(value).map(told).collect();
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(wrong.join("; "))
        }
    }

    fn validator(&self, place: &str) -> Arc<Validator> {
        let make = || {
            let schema = json!({"$ref": format!("{BASE}{}", encoded(place))});
            let options = jsonschema::options()
                .with_draft(Draft::Draft202012)
                .should_validate_formats(true);
            let validator = options.with_registry(&self.registry).build(&schema);
            Arc::new(validator.unwrap_or_else(|error| panic!("{place}: {error}")))
        };
        self.validators
            .lock()
            .entry(place.to_owned())
            .or_insert_with(make)
            .clone()
    }

    /// What is documented and was not seen: operation and status.
    pub fn unseen(&self) -> BTreeSet<(String, String)> {
        let seen = self.seen.lock();
        let mut unseen = BTreeSet::new();
        for (method, path) in self.operations() {
            let pointer = format!("/paths/{}/{}/responses", escaped(&path), method.to_lowercase());
            for status in self.openapi.pointer(&pointer).unwrap().as_object().unwrap().keys() {
                let pair = (format!("{method} {path}"), status.clone());
                if !seen.contains(&pair) {
                    unseen.insert(pair);
                }
            }
        }
        unseen
    }
}

/// A key within a JSON pointer.
pub fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A place as a part of a URI.
fn encoded(place: &str) -> String {
    place.bytes().fold(String::new(), |mut text, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'#' | b'-' | b'.' | b'_' | b'~' => text.push(byte.into()),
            _ => write!(text, "%{byte:02X}").unwrap(),
        }
        text
    })
}

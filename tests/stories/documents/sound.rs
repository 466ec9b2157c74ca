//! The documents themselves: schemas are schemas, references lead somewhere, examples are what they say.

use std::collections::BTreeSet;

use serde_json::Value;

use super::spec::{Spec, escaped};
use crate::support::{Database, Node};

/// Responses that any path may give, so that no operation refers to them.
const OF_ANY_PATH: [&str; 1] = ["/components/responses/WrongMethod"];

#[tokio::test]
async fn the_documents_are_sound() {
    let node = Node::start(&Database::sqlite()).await;
    let spec = Spec::of(&node).await;
    let mut wrong = Vec::new();
    check_schemas(&spec, &mut wrong);
    check_references(&spec, &mut wrong);
    check_operations(&spec, &mut wrong);
    let examples = check_examples(&spec, "", &spec.openapi, &mut wrong);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(examples > 40, "only {examples} examples were looked at");
    node.stop().await;
}

/// Each value under a key `schema`, and each component, is a schema of JSON Schema 2020-12.
fn check_schemas(spec: &Spec, wrong: &mut Vec<String>) {
    let mut schemas = Vec::new();
    for document in [&spec.openapi, &spec.asyncapi] {
        visit(document, "", &mut |at, value| {
            if at.ends_with("/schema")
                || at
                    .rsplit_once('/')
                    .is_some_and(|(parent, _)| parent == "/components/schemas")
            {
                schemas.push((at.to_owned(), value.clone()));
            }
        });
    }
    assert!(schemas.len() > 60, "only {} schemas", schemas.len());
    for (at, schema) in schemas {
        if let Err(error) = jsonschema::draft202012::meta::validate(&schema) {
            wrong.push(format!("{at} is no schema: {error}"));
        }
        // An object is either closed or says that other fields are ignored.
        let is_object = schema["type"] == "object" && schema.get("properties").is_some();
        let is_closed = schema["additionalProperties"] == false;
        let is_open = ["Order", "Fault", "StartCustomers", "DashboardFields"];
        let may_be_open = is_open.iter().any(|name| at.ends_with(&format!("/{name}"))) || at.ends_with("/schema");
        if is_object && !is_closed && !may_be_open {
            wrong.push(format!("{at} is open"));
        }
    }
}

/// References lead somewhere, and every component is referred to.
fn check_references(spec: &Spec, wrong: &mut Vec<String>) {
    let mut used = BTreeSet::new();
    for document in [&spec.openapi, &spec.asyncapi] {
        visit(document, "", &mut |at, value| {
            let Some(reference) = value.as_str().filter(|_| at.ends_with("/$ref")) else {
                return;
            };
            let (of, pointer) = match reference.split_once('#') {
                Some(("", pointer)) => (document, pointer),
                Some(("/api/openapi.json", pointer)) => (&spec.openapi, pointer),
                _ => return wrong.push(format!("{at}: {reference}")),
            };
            if of.pointer(pointer).is_none() {
                wrong.push(format!("{at}: {reference} leads nowhere"));
            }
            used.insert(pointer.to_owned());
        });
    }
    for (kind, components) in spec.openapi["components"].as_object().unwrap() {
        for name in components
            .as_object()
            .unwrap()
            .keys()
            .filter(|_| kind != "securitySchemes")
        {
            let pointer = format!("/components/{kind}/{}", escaped(name));
            if !used.contains(&pointer) && !OF_ANY_PATH.contains(&pointer.as_str()) {
                wrong.push(format!("{pointer} is used by nobody"));
            }
        }
    }
}

/// Each operation has a name of its own, known tags, and the parameters of its path.
fn check_operations(spec: &Spec, wrong: &mut Vec<String>) {
    let tags = spec.openapi["tags"].as_array().unwrap().iter();
    let tags: BTreeSet<_> = tags.map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut names = BTreeSet::new();
    for (method, path) in spec.operations() {
        let operation = &spec.openapi["paths"][&path][method.to_lowercase()];
        if !names.insert(operation["operationId"].as_str().unwrap_or_default()) {
            wrong.push(format!("{method} {path} has another's operationId"));
        }
        let tag = operation["tags"][0].as_str().unwrap_or_default();
        if !tags.contains(tag) || operation["summary"].as_str().is_none_or(str::is_empty) {
            wrong.push(format!("{method} {path} has no tag or no summary"));
        }
        let in_path = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        let parameters = operation["parameters"].as_array();
        for name in in_path {
            let is_told =
                parameters.is_some_and(|all| all.iter().any(|one| one["name"] == name && one["in"] == "path"));
            if !is_told {
                wrong.push(format!("{method} {path} does not tell of {name}"));
            }
        }
    }
}

/// Holds each example against the schema beside it; returns how many there are.
fn check_examples(spec: &Spec, at: &str, value: &Value, wrong: &mut Vec<String>) -> usize {
    let mut count = 0;
    let mut beside = |example: &Value| {
        count += 1;
        if let Err(reason) = spec.check(&format!("/api/openapi.json#{at}/schema"), example) {
            wrong.push(format!("{at}: {reason}"));
        }
    };
    if let (Some(examples), true) = (
        value.get("examples").and_then(Value::as_object),
        value.get("schema").is_some(),
    ) {
        for example in examples.values() {
            let reference = example["$ref"]
                .as_str()
                .and_then(|reference| reference.strip_prefix('#'));
            let example = reference.map_or(example, |pointer| spec.openapi.pointer(pointer).unwrap());
            beside(&example["value"]);
        }
    }
    if let (Some(example), true) = (value.get("example"), value.get("schema").is_some()) {
        beside(example);
    }
    let below = |key: &str| format!("{at}/{}", escaped(key));
    let fields = value.as_object().into_iter().flatten();
    count
        + fields
            .map(|(key, value)| check_examples(spec, &below(key), value, wrong))
            .sum::<usize>()
}

/// Shows each value and where it is.
fn visit(value: &Value, at: &str, look: &mut impl FnMut(&str, &Value)) {
    look(at, value);
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(key, value)| visit(value, &format!("{at}/{}", escaped(key)), look)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(n, value)| visit(value, &format!("{at}/{n}"), look)),
        _ => {}
    }
}

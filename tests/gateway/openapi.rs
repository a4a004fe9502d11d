//! The API's document against the running gateway: what is answered has the shape that is told.

use serde_json::Value;
use sumun_tests::{DEADLINE, Sumun, Upstream, eventually};

use crate::policies;

/// Holds values to the schemas of a document; of JSON Schema it knows what the document uses, and
/// fails on all else.
struct Shapes<'a>(&'a Value);

impl Shapes<'_> {
    /// Every way in which a value differs from its schema.
    fn differences(&self, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
        let Some(keywords) = schema.as_object() else {
            assert_eq!(schema, &Value::Bool(true), "{at}");
            return;
        };
        let wrong = |what: &str| format!("{at}: {what}: {value}");
        if let Some(of) = schema.get("type")
            && !one_or_more(of).iter().any(|kind| is(kind, value))
        {
            found.push(wrong(&format!("is no {of}")));
            return;
        }
        if let Some(known) = schema.get("enum")
            && !known.as_array().expect("a list").contains(value)
        {
            found.push(wrong(&format!("is none of {known}")));
        }
        for keyword in keywords.keys() {
            match keyword.as_str() {
                // Looked at above, below, or only words.
                "type"
                | "enum"
                | "description"
                | "format"
                | "title"
                | "properties"
                | "required"
                | "additionalProperties" => {}
                "minimum" | "maximum" => {
                    let (bound, number) = (&schema[keyword], value.as_f64());
                    let (Some(bound), Some(number)) = (bound.as_f64(), number) else { continue };
                    let within =
                        if keyword == "minimum" { number >= bound } else { number <= bound };
                    if !within {
                        found.push(wrong(&format!("is beyond its {keyword} {bound}")));
                    }
                }
                "const" => {
                    if schema["const"] != *value {
                        found.push(wrong("is another"));
                    }
                }
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        let at = format!("{at}[{index}]");
                        self.differences(&schema["items"], item, &at, found);
                    }
                }
                "$ref" => {
                    let name = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
                    let target = self.0.pointer(name.expect("a local one")).expect("a shape");
                    self.differences(target, value, at, found);
                }
                "anyOf" | "oneOf" => {
                    let options = schema[keyword].as_array().expect("a list");
                    let fits = options.iter().any(|option| {
                        let mut differences = Vec::new();
                        self.differences(option, value, at, &mut differences);
                        differences.is_empty()
                    });
                    if !fits {
                        found.push(wrong("fits none of its shapes"));
                    }
                }
                other => panic!("{at}: the keyword `{other}` is not known here"),
            }
        }
        if value.is_object() {
            self.members(schema, value, at, found);
        }
    }

    /// No key is missing, and none is there that is not told.
    fn members(&self, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
        if schema.get("properties").is_none() && schema.get("additionalProperties").is_none() {
            return;
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            if value.get(name.as_str().expect("a name")).is_none() {
                found.push(format!("{at}: {name} is missing"));
            }
        }
        for (name, member) in value.as_object().expect("an object") {
            let at = format!("{at}.{name}");
            let told = schema["properties"].get(name).or(schema.get("additionalProperties"));
            match told {
                Some(told) if told != &Value::Bool(false) => {
                    self.differences(told, member, &at, found);
                }
                _ => found.push(format!("{at} is not told")),
            }
        }
    }
}

fn one_or_more(of: &Value) -> Vec<&str> {
    match of {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    }
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("there is no type `{other}`"),
    }
}

/// The schema of an answer, and that answer held to it.
fn hold(document: &Value, method: &str, path: &str, status: u16, value: &Value) {
    let operation = &document["paths"][path][method];
    let content = &operation["responses"][status.to_string()]["content"];
    let media = if status < 400 { "application/json" } else { "application/problem+json" };
    let schema = content[media].get("schema");
    let schema = schema.unwrap_or_else(|| panic!("{method} {path} has no {status}: {operation}"));
    let mut found = Vec::new();
    Shapes(document).differences(schema, value, path, &mut found);
    assert!(found.is_empty(), "{method} {path}: {found:#?}");
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn what_a_running_gateway_answers_has_the_shape_that_its_document_tells() {
    let upstream = Upstream::plain().await;
    let policy = policies::function(&upstream.url(), "reserved: 3");
    let sumun = Sumun::start(&policy).await;
    for _ in 0..5 {
        sumun.get("/").await;
    }
    let document = sumun.admin_get("/api/v1/openapi.json").await;
    let put = ("content-type", "application/yaml");
    let (any, soon) = (("if-match", "*"), ("x-revert-after", "10m"));
    let path = "/api/v1/policies/policy.yaml";
    let next = policy.replace("reserved: 3", "reserved: 4");
    let written = sumun.admin("PUT", path, &[put, any, soon], next.as_bytes()).await;
    hold(&document, "put", "/api/v1/policies/{file}", written.status, &written.json());
    let refused = sumun.admin("PUT", path, &[put, any], b"version: 9\n").await;
    assert_eq!(refused.status, 422);
    hold(&document, "put", "/api/v1/policies/{file}", 422, &refused.json());
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace_id}-00f067aa0ba902b7-01");
    sumun.call("GET", "/", &[("traceparent", &parent)], b"").await;
    let path = format!("/api/v1/traces/{trace_id}");
    eventually("the sampled call is kept", DEADLINE, async || {
        let answer = sumun.admin("GET", &path, &[], b"").await;
        if answer.status == 200 { Ok(()) } else { Err(answer.status) }
    })
    .await;
    let names =
        [("{name}", "fn"), ("{trace_id}", trace_id), ("{id}", "2"), ("{file}", "policy.yaml")];
    let mut held = 0;
    for (template, methods) in document["paths"].as_object().expect("paths") {
        let content = &methods["get"]["responses"]["200"]["content"];
        if content.get("application/json").is_none() {
            continue; // no GET, a text, or a stream
        }
        let template = template.as_str();
        let path = template.replace("routes/{name}", "routes/all");
        let path = names.iter().fold(path, |path, (name, value)| path.replace(name, value));
        let answer = sumun.admin("GET", &path, &[], b"").await;
        assert_eq!(answer.status, 200, "{path}: {answer}");
        hold(&document, "get", template, 200, &answer.json());
        held += 1;
    }
    assert!(held >= 13, "{held}");
    for (method, template, body, status) in [
        ("POST", "/api/v1/policies:check", r#"{"files":{"a.yaml":"version: 2"}}"#, 200),
        ("POST", "/api/v1/policies:preview", r#"{"files":{}}"#, 200),
        ("POST", "/api/v1/cache:purge", r#"{"all":true}"#, 200),
        ("POST", "/api/v1/cache:purge", "{}", 400),
        ("PUT", "/api/v1/functions/{name}/concurrency", r#"{"reserved":2}"#, 200),
        ("DELETE", "/api/v1/functions/{name}/concurrency", "", 200),
        ("POST", "/api/v1/revisions/{id}:restore", "", 200),
        ("GET", "/api/v1/routes/{name}", "", 404),
    ] {
        let path =
            names.iter().fold(template.to_owned(), |path, (n, value)| path.replace(n, value));
        let answer = sumun.admin(method, &path, &[JSON], body.as_bytes()).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer}");
        hold(&document, &method.to_ascii_lowercase(), template, status, &answer.json());
    }
}

#[test]
fn what_differs_is_found() {
    let schema = serde_json::json!({
        "type": "object", "required": ["a"],
        "properties": {"a": {"type": ["integer", "null"], "minimum": 2}, "b": {"type": "array", "items": {"type": "string"}}},
    });
    for (value, differences) in [
        (serde_json::json!({"a": 2}), 0),
        (serde_json::json!({"a": null, "b": ["x"]}), 0),
        (serde_json::json!({"a": 1}), 1),
        (serde_json::json!({"a": "2"}), 1),
        (serde_json::json!({}), 1),
        (serde_json::json!({"a": 2, "c": 0}), 1),
        (serde_json::json!({"a": 2, "b": [1, 2]}), 2),
        (serde_json::json!([]), 1),
    ] {
        let mut found = Vec::new();
        Shapes(&Value::Null).differences(&schema, &value, "value", &mut found);
        assert_eq!(found.len(), differences, "{value}: {found:?}");
    }
}

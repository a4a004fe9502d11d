//! Writing the document: operations and shapes → `OpenAPI` 3.1.

use std::collections::BTreeMap;

use http::Method;
use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::operations::operations;
use crate::admin::api::endpoints;
use crate::admin::fault::PROBLEM_JSON;
use crate::admin::guard::Needs;

/// What can be done at one path.
pub(super) struct Operation {
    pub method: Method,
    /// Below `/api`.
    pub path: &'static str,
    does: &'static str,
    open: bool,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<u16, Value>,
    faults: BTreeMap<u16, Vec<&'static str>>,
}

/// Schemas by name, of what is answered and of what is sent.
pub(super) struct Shapes {
    answered: SchemaGenerator,
    sent: SchemaGenerator,
}

// === impl Shapes ===

impl Shapes {
    fn new() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self {
            answered: settings.clone().for_serialize().into_generator(),
            sent: settings.for_deserialize().into_generator(),
        }
    }

    fn finish(mut self) -> Map<String, Value> {
        let mut all = self.answered.take_definitions(true);
        for (name, schema) in self.sent.take_definitions(true) {
            let before = all.insert(name.clone(), schema.clone());
            assert!(before.is_none_or(|before| before == schema), "two shapes are named {name}");
        }
        all
    }
}

// === impl Operation ===

impl Operation {
    pub(super) fn new(method: Method, path: &'static str, does: &'static str) -> Self {
        let (parameters, answers) = (Vec::new(), BTreeMap::new());
        let mut new = Self {
            method,
            path,
            does,
            open: false,
            parameters,
            body: None,
            answers,
            faults: BTreeMap::new(),
        }
        .fault(401, "unauthorized")
        .fault(403, "host_unknown")
        .fault(500, "internal");
        if new.method != Method::GET {
            new = new.fault(403, "origin_foreign");
        }
        if let Some(name) = new.variable() {
            new.parameters.push(json!({
                "name": name, "in": "path", "required": true, "schema": {"type": "string"},
            }));
            new = new.fault(400, "bad_request").fault(404, "not_found");
        }
        new
    }

    /// The path's variable segment.
    fn variable(&self) -> Option<&'static str> {
        let (_, rest) = self.path.split_once('{')?;
        Some(rest.split_once('}')?.0)
    }

    /// Nobody needs to be known.
    pub(super) fn open(mut self) -> Self {
        self.open = true;
        self.faults.remove(&401);
        self
    }

    /// Answers JSON of this shape.
    pub(super) fn json<T: JsonSchema>(self, shapes: &mut Shapes, status: u16) -> Self {
        let schema = shapes.answered.subschema_for::<T>();
        self.answer(status, "application/json", &json!(schema))
    }

    /// Answers text.
    pub(super) fn text(self, media: &str) -> Self {
        self.answer(200, media, &json!({"type": "string"}))
    }

    /// Answers server-sent events whose data is JSON of this shape. `OpenAPI` 3.1 has no word for one
    /// event; the schema is told as that of the whole, as is the custom.
    pub(super) fn events<T: JsonSchema>(self, shapes: &mut Shapes) -> Self {
        let schema = shapes.answered.subschema_for::<T>();
        self.answer(200, "text/event-stream", &json!(schema))
    }

    fn answer(mut self, status: u16, media: &str, schema: &Value) -> Self {
        let answer = json!({"description": title(status), "content": {media: {"schema": schema}}});
        self.answers.insert(status, answer);
        self
    }

    /// Answers without a body.
    pub(super) fn empty(mut self, status: u16) -> Self {
        self.answers.insert(status, json!({"description": title(status)}));
        self
    }

    /// The header that the last answer carries.
    pub(super) fn with(mut self, status: u16, name: &str, says: &str) -> Self {
        let header = json!({"description": says, "schema": {"type": "string"}});
        self.answers.get_mut(&status).expect("an answer")["headers"][name] = header;
        self
    }

    /// Parameters of the query, all optional, from the struct that reads them.
    pub(super) fn query<T: JsonSchema>(mut self) -> Self {
        let schema = json!(schemars::schema_for!(T));
        for (name, schema) in schema["properties"].as_object().expect("a struct") {
            let mut schema = schema.clone();
            let does = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let does = does.unwrap_or_else(|| panic!("`{name}` of {} says nothing", self.path));
            self.parameters.push(json!({
                "name": name, "in": "query", "description": does, "schema": schema,
            }));
        }
        self.fault(400, "bad_request")
    }

    /// A header that may be sent.
    pub(super) fn header(mut self, name: &str, says: &str) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "header", "description": says, "schema": {"type": "string"},
        }));
        self
    }

    /// Takes JSON of this shape.
    pub(super) fn takes<T: JsonSchema>(self, shapes: &mut Shapes) -> Self {
        let schema = shapes.sent.subschema_for::<T>();
        self.body("application/json", &json!(schema))
    }

    /// Takes text.
    pub(super) fn takes_text(self, media: &str) -> Self {
        self.body(media, &json!({"type": "string"}))
    }

    fn body(mut self, media: &str, schema: &Value) -> Self {
        self.body = Some(json!({"required": true, "content": {media: {"schema": schema}}}));
        self.fault(400, "bad_request")
            .fault(408, "request_timeout")
            .fault(413, "body_too_large")
            .fault(415, "media_type_unknown")
    }

    /// May be refused so.
    pub(super) fn fault(mut self, status: u16, code: &'static str) -> Self {
        let codes = self.faults.entry(status).or_default();
        if !codes.contains(&code) {
            codes.push(code);
            codes.sort_unstable();
        }
        self
    }

    /// May be refused because no policy runs yet.
    pub(super) fn looks(self) -> Self {
        self.fault(503, "starting")
    }

    /// Changes something: a reason is kept, and a read-only gateway refuses.
    pub(super) fn changes(self) -> Self {
        self.header("X-Change-Reason", "Why, in the author's words; kept in history and audit log.")
            .fault(403, "read_only")
    }

    /// Camel case of method and path: `getFunctionsName`.
    fn id(&self) -> String {
        let mut id = self.method.as_str().to_ascii_lowercase();
        let words = self.path.trim_start_matches("/v1/");
        for word in words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()) {
            id.push(word.as_bytes()[0].to_ascii_uppercase().into());
            id.push_str(&word[1..]);
        }
        id
    }

    fn written(mut self, needs: Needs) -> Value {
        let id = self.id();
        let role = needs.least(&self.method).as_str();
        if role != "viewer" {
            self = self.fault(403, "role_missing");
        }
        let mut responses: Map<String, Value> =
            self.answers.into_iter().map(|(status, answer)| (status.to_string(), answer)).collect();
        for (status, codes) in self.faults {
            let schema = json!({"$ref": "#/components/schemas/Problem"});
            responses.insert(
                status.to_string(),
                json!({
                    "description": format!("{}: {}", title(status), codes.join(", ")),
                    "content": {PROBLEM_JSON: {"schema": schema}},
                    "x-codes": codes,
                }),
            );
        }
        let mut written = json!({
            "operationId": id, "summary": self.does, "responses": responses, "x-role": role,
        });
        if self.open {
            written["security"] = json!([]);
            written["x-role"] = Value::Null;
        }
        if !self.parameters.is_empty() {
            written["parameters"] = self.parameters.into();
        }
        if let Some(body) = self.body {
            written["requestBody"] = body;
        }
        written
    }
}

fn title(status: u16) -> &'static str {
    let status = http::StatusCode::from_u16(status).expect("a status");
    status.canonical_reason().expect("a known one")
}

/// The path of the table that serves a path of the document: a verb after a variable segment is a
/// part of that segment.
fn served_by(path: &str) -> &str {
    path.find("}:").map_or(path, |at| &path[..=at])
}

/// The whole document.
pub(in crate::admin) fn write() -> Value {
    let mut shapes = Shapes::new();
    shapes.answered.subschema_for::<crate::admin::fault::Body<'_>>();
    let table = endpoints();
    let mut paths = Map::new();
    for operation in operations(&mut shapes) {
        let (path, method) = (operation.path, operation.method.as_str().to_ascii_lowercase());
        let row = table.iter().find(|(served, ..)| *served == served_by(path));
        let (_, needs, _) = row.unwrap_or_else(|| panic!("{path} is not in the table"));
        let at = paths.entry(format!("/api{path}")).or_insert_with(|| json!({}));
        assert!(at.get(&method).is_none(), "{method} {path} twice");
        at[method] = operation.written(*needs);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Sumun admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "`x-role` is the least role that may call, of viewer, editor and admin; \
                null: no login is needed. `x-codes` are the values that `code` of a problem has. \
                Any other method is answered 405 with code `method_not_allowed`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": shapes.finish(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "sumun_session"},
            },
        },
    })
}

#[test]
fn the_file_is_current() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let document = write();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(file, format!("{document:#}\n")).unwrap();
    }
    let committed: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    // Values, not texts: the order of keys is the build's.
    for part in ["paths", "components"] {
        for (name, now) in document[part].as_object().unwrap() {
            assert_eq!(&committed[part][name], now, "run this test with UPDATE_OPENAPI=1");
        }
    }
    assert!(committed == document, "run this test with UPDATE_OPENAPI=1");
}

#[test]
fn a_problem_of_a_policy_has_the_shape_that_is_told() {
    let problem = sumun_policy::Problem::whole_file("a.yaml", "is wrong", "make it right");
    let shape = json!(schemars::schema_for!(super::PolicyProblem));
    let mut told: Vec<_> = shape["properties"].as_object().unwrap().keys().cloned().collect();
    let mut has: Vec<_> = json!(problem).as_object().unwrap().keys().cloned().collect();
    told.sort_unstable();
    has.sort_unstable();
    assert_eq!(told, has);
}

//! The JSON Schema (2020-12) of a policy file, made from the same forms that the check walks.
//!
//! For editors: completion, types, ranges and the manual on hover. The check knows more (references
//! between parts, reservations, ambiguity); what it accepts, the schema accepts.

use serde_json::{Map, Value, json};

use crate::raw::form::{FILE, Form, Key, Shape, Text, Word};

/// The schema of one policy file.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let mut schema = of_form(&FILE, &mut definitions);
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("$defs".to_owned(), Value::Object(definitions));
    Value::Object(schema)
}

/// The schema of a mapping; those below it become definitions.
fn of_form(form: &Form, definitions: &mut Map<String, Value>) -> Map<String, Value> {
    let mut properties = Map::new();
    for key in form.keys {
        properties.insert(key.name.to_owned(), Value::Object(of_key(key, definitions)));
    }
    let required: Vec<_> =
        form.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut schema = object(json!({
        "title": form.title,
        "description": form.about,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    }));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    if !form.exactly_one.is_empty() {
        let each: Vec<_> = form.exactly_one.iter().map(|key| json!({"required": [key]})).collect();
        schema.insert("oneOf".to_owned(), json!(each));
    }
    schema
}

fn of_key(key: &Key, definitions: &mut Map<String, Value>) -> Map<String, Value> {
    let mut schema = of_shape(&key.shape, definitions);
    let mut about = key.about.to_owned();
    if let Shape::Choice(words) = &key.shape {
        let words: Vec<_> = words.iter().map(of_word).collect();
        about = format!("{about} {}.", words.join("; "));
    }
    if let Shape::Percent { min } = key.shape {
        about = format!("{about} {min} to 100%.");
    }
    if let Shape::Duration { min, max } | Shape::Bytes { min, max } = key.shape {
        about = format!("{about} {min} to {max}.");
    }
    schema.insert("description".to_owned(), json!(about));
    if let Some(default) = key.default {
        let typed = match key.shape {
            Shape::Whole { .. } | Shape::Number { .. } | Shape::Truth => {
                serde_json::from_str(default).unwrap_or_else(|_| json!(default))
            }
            _ => json!(default),
        };
        schema.insert("default".to_owned(), typed);
    }
    schema
}

fn of_word(word: &Word) -> String {
    format!("`{}`: {}", word.name, word.about)
}

fn of_shape(shape: &Shape, definitions: &mut Map<String, Value>) -> Map<String, Value> {
    object(match shape {
        Shape::Exactly(number) => json!({"const": number}),
        Shape::Whole { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Shape::Number { min, max } => json!({"type": "number", "minimum": min, "maximum": max}),
        Shape::Truth => json!({"type": "boolean"}),
        Shape::Percent { .. } => {
            json!({"type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,2})?%$", "examples": ["85%"]})
        }
        Shape::Duration { .. } => {
            json!({"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$", "examples": ["250ms", "30s"]})
        }
        Shape::Bytes { .. } => {
            json!({"type": "string", "pattern": "^[0-9]+([KMG]i)?B$", "examples": ["64KiB", "1MiB"]})
        }
        Shape::Choice(words) => {
            let names: Vec<_> = words.iter().map(|word| word.name).collect();
            json!({"enum": names})
        }
        Shape::Text(text) => of_text(text),
        Shape::Texts { of, min, max } => json!({
            "type": "array",
            "items": of_text(of),
            "minItems": min,
            "maxItems": max,
            "uniqueItems": true,
        }),
        Shape::TextMap { names, texts, max } => json!({
            "type": "object",
            "propertyNames": of_text(names),
            "additionalProperties": of_text(texts),
            "maxProperties": max,
        }),
        Shape::Form(form) => of_reference(form, definitions),
        Shape::Forms { of, max } => json!({
            "type": "object",
            "propertyNames": {"pattern": "^[a-z0-9][a-z0-9._-]{0,62}$"},
            "additionalProperties": of_reference(of, definitions),
            "maxProperties": max,
        }),
    })
}

/// The check takes a scalar as it is written, so `5` and `true` are texts wherever a text may look so;
/// to an editor they are none.
fn of_text(text: &Text) -> Value {
    let scalars = if text.pattern.starts_with("^/") || text.pattern.starts_with("^http") {
        json!("string")
    } else {
        json!(["string", "number", "boolean"])
    };
    json!({"type": scalars, "pattern": text.pattern, "maxLength": text.bytes_max})
}

/// A form is defined once, however often it is used.
fn of_reference(form: &Form, definitions: &mut Map<String, Value>) -> Value {
    if !definitions.contains_key(form.title) {
        // Forms do not contain themselves, so this ends.
        let definition = of_form(form, definitions);
        definitions.insert(form.title.to_owned(), Value::Object(definition));
    }
    json!({"$ref": format!("#/$defs/{}", form.title)})
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests;

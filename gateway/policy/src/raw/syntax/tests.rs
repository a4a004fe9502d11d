use serde_saphyr::granit_parser::Parser;

use super::*;

/// `line:column: why | help` of a text that is no YAML.
fn told(text: &str) -> String {
    let error = Parser::new_from_str(text).find_map(Result::err).expect(text);
    let NotYaml { line, column, message, help } = NotYaml::of(text, &error);
    let why = message.strip_prefix("this is not YAML: ").expect("what it is about");
    format!("{line}:{column}: {why} | {help}")
}

#[test]
fn the_place_and_the_remedy_are_those_of_the_mistake() {
    for (text, wanted) in [
        ("a:\n\tb: 1\n", "2:1: a tab indents the line | indent with spaces"),
        ("a:\n  b: 1\n \tc: 1\n", "3:2: a tab indents the line | indent with spaces"),
        ("a:\n  b: 'x\nc: 1\nd: 2\n", "2:6: unclosed quote | close the quote"),
        ("a: \"x\n", "1:4: unclosed quote | close the quote"),
        ("a: [b, c\n", "1:4: unclosed bracket '[' | close the bracket"),
        ("a:\n  b:\u{a0}c\n  d: 1\n", "2:5: an invisible character, U+00A0, stands here | remove"),
        ("a: 1\n\u{feff}b: 2\n", "2:1: an invisible character, U+FEFF, stands here | remove"),
        ("a: 1\n\u{c}b: 2\n", "2:1: an invisible character, U+000C, stands here | remove"),
        ("a: 1\u{2028}b: 2\n", "1:5: an invisible character, U+2028, stands here | remove"),
        ("a: %85\n", "1:4: unexpected character: `%' | put the value in quotes"),
        ("a: @b\n", "1:4: unexpected character: `@' | put the value in quotes"),
        ("a: { b: * }\n", "1:9: while scanning an anchor or alias, did not find expected"),
        ("a:\n  d: 1\n  b:c\n", "3:3: simple key expected ':' | write `key: value`"),
        ("a: [http://[::1]:80]\n", "1:12: while parsing a flow"),
        ("a: b: c\n", "1:5: mapping values are not allowed in this context | put a value with"),
        ("a: *b\n", "1:4: while parsing node, found unknown anchor | define the anchor"),
    ] {
        let told = told(text);
        assert!(told.starts_with(wanted), "{text:?}: {told}");
    }
}

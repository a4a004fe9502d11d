use super::*;

fn problem(text: &str, column: u32, width: u32) -> Problem {
    Problem {
        line: 12,
        column,
        excerpt: Excerpt::new(text, column),
        width,
        ..Problem::whole_file("mail.yaml", "is wrong", "write it right")
    }
}

#[test]
fn renders_the_line_a_caret_as_wide_as_the_token_and_the_remedy() {
    let rendered = problem("  total: 10 # ten", 10, 2).render();
    let expected = [
        "mail.yaml:12:10: is wrong",
        "    |",
        " 12 |   total: 10 # ten",
        "    |          ^^",
        "   help: write it right",
    ];
    assert_eq!(rendered, expected.join("\n"));
}

#[test]
fn a_problem_without_a_line_has_no_excerpt() {
    let rendered = Problem::whole_file("mail.yaml", "is empty", "write something").render();
    assert_eq!(rendered, "mail.yaml:1:1: is empty\n   help: write something");
}

#[test]
fn a_caret_never_leaves_the_line() {
    assert!(problem("a: b", 4, 900).render().contains("\n    |    ^\n"));
    assert!(problem("a: b", 5, 3).render().contains("\n    |     ^\n"));
}

#[test]
fn escapes_in_a_file_do_not_reach_the_terminal() {
    let rendered = problem("a: \u{1b}[31mred", 4, 1).render();
    assert!(!rendered.contains('\u{1b}'), "{rendered:?}");
    assert!(!quoted("\u{1b}[2J").contains('\u{1b}'));
}

#[test]
fn what_nobody_sees_is_shown() {
    assert_eq!(quoted("routes\u{200b}"), "`routes<U+200B>`");
    assert_eq!(quoted("\u{a0}a\u{3000}b\u{202e}"), "`<U+00A0>a<U+3000>b<U+202E>`");
    assert_eq!(quoted("메일 ü"), "`메일 ü`");
    let rendered = problem("a:\u{a0}b", 3, 1).render();
    assert!(rendered.contains("| a:\u{fffd}b\n    |   ^"), "{rendered}");
}

#[test]
fn a_long_line_is_cropped_around_the_token() {
    let text = format!("{}bad{}", "a".repeat(5_000), "b".repeat(5_000));
    let rendered = problem(&text, 5_001, 3).render();
    let lines: Vec<_> = rendered.lines().collect();
    assert!(lines[2].chars().count() <= Problem::EXCERPT_CHARS_MAX + 6);
    let caret = lines[3].find('^').expect("there is a caret");
    assert_eq!(&lines[2][caret..caret + 3], "bad");
}

#[test]
fn serialises_to_the_five_fields_of_the_interface() {
    let json = serde_json::to_value(problem("text", 3, 1)).expect("plain data");
    assert_eq!(
        json,
        serde_json::json!({"file": "mail.yaml", "line": 12, "column": 3,
            "message": "is wrong", "help": "write it right"})
    );
}

#[test]
fn the_first_byte_that_is_no_utf8_is_found() {
    let found = Problem::not_utf8("a.yaml", b"version: 1\nr\xc3\xb6ute: \xff\nmore: 1\n");
    assert_eq!((found.line, found.column), (2, 8));
    assert!(found.message.contains("0xff"), "{found}");
    assert!(found.render().contains("röute"), "{}", found.render());
}

#[test]
fn long_text_is_shortened_in_messages() {
    assert_eq!(quoted(&"x".repeat(65)), format!("`{}…`", "x".repeat(64)));
    assert_eq!(quoted("short"), "`short`");
}

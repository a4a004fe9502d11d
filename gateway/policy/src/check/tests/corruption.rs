//! Damaged files: never a panic, and what can be seen to be damaged is refused.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::examples::examples;
use super::*;

#[test]
fn no_truncation_panics_or_is_taken_for_the_whole() {
    for (name, text) in examples() {
        let whole = check(&[(name.clone(), text.clone())]).0.expect("an example");
        for (end, _) in text.char_indices() {
            let (policy, problems) = check(&[(name.clone(), text[..end].to_owned())]);
            assert_eq!(policy.is_some(), problems.is_empty(), "{name} up to {end}");
            let lost =
                !text[end..].lines().all(|l| l.trim().is_empty() || l.trim().starts_with('#'));
            if let Some(policy) = policy
                && lost
                && text[..end].ends_with('\n')
            {
                // A cut between two entries leaves a smaller policy, never the same.
                assert!(!crate::diff(&whole, &policy).is_empty(), "{name} up to {end}");
            }
        }
    }
}

#[test]
fn a_hundred_corrupted_variants_are_refused() {
    let files = examples();
    let mut refused = 0;
    let mut refuse = |what: &str, name: &str, text: String| {
        let others = files.iter().filter(|(other, _)| other != name).cloned();
        let all: Vec<_> = others.chain([(name.to_owned(), text)]).collect();
        let (policy, problems) = check(&all);
        assert!(policy.is_none() && !problems.is_empty(), "{name}: {what}");
        assert!(problems.iter().any(|p| p.file == name), "{name}: {what}: {problems:#?}");
        refused += 1;
    };
    for (name, text) in &files {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let content = line.trim_start();
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let with = |new: &[&str]| {
                let mut copy = lines.clone();
                copy.splice(at..=at, new.iter().copied());
                copy.join("\n")
            };
            let indent = &line[..line.len() - content.len()];
            let Some((key, value)) = content.split_once(": ").or(content.split_once(':')) else {
                continue;
            };
            if content.starts_with('-') {
                continue;
            }
            let unknown = format!("{indent}{key}-x: {value}");
            // In the second column stand names, which are free.
            if indent.len() != 2 {
                refuse("unknown key", name, with(&[&unknown]));
            }
            let twice = format!("{indent}{key}: {}", if value.is_empty() { "{}" } else { value });
            refuse("duplicate key", name, with(&[&twice, line]));
            refuse("tab", name, with(&[&format!("\t{line}")]));
            if value.starts_with(|c: char| c.is_ascii_digit()) {
                refuse("negative", name, with(&[&format!("{indent}{key}: -{value}")]));
            }
        }
        refuse("empty", name, String::new());
        refuse("open bracket", name, format!("{text}\n["));
        refuse("zero byte", name, format!("{text}\n\0"));
    }
    assert!(refused >= 100, "{refused}");
}

#[test]
fn alias_bombs_and_deep_nesting_are_cheap_problems() {
    let mut bomb = "version: 1\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..30 {
        let item = format!("*a{}", n - 1);
        writeln!(bomb, "a{n}: &a{n} [{}]", vec![item; 10].join(", ")).expect("a string");
    }
    let (policy, problems) = check_one(&bomb);
    assert!(policy.is_none());
    assert!(problems.iter().any(|p| p.message.contains("more than 200000 values")), "{problems:?}");

    for deep in ["[".repeat(100_000), "{a: ".repeat(50_000), "- ".repeat(50_000)] {
        let (policy, problems) = check_one(&deep);
        assert!(policy.is_none() && problems.len() == 1);
        assert!(problems[0].message.contains("more than 32 levels"), "{}", problems[0]);
    }
    let mut chain = "a0: &a0 [[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]\n".to_owned();
    for n in 1..50 {
        writeln!(chain, "a{n}: &a{n} [[[[[[[[[*a{}]]]]]]]]]", n - 1).expect("a string");
    }
    assert!(check_one(&chain).1.iter().any(|p| p.message.contains("more than 32 levels")));
    let itself = check_one("version: &v [*v]\n").1;
    assert!(itself[0].message.contains("inside the value that it names"), "{itself:?}");
    let many = format!("a: &a x\nb: [{}]\n", vec!["*a"; 1_001].join(","));
    assert!(check_one(&many).1.iter().any(|p| p.message.contains("1000 aliases")));
}

#[test]
fn a_mebibyte_of_mistakes_in_one_line_takes_little() {
    let mut text = "{version: 1".to_owned();
    for n in 0.. {
        write!(text, ", k{n}: a-value-of-some-length").expect("a string");
        if text.len() > FILE_BYTES_MAX - 60 {
            break;
        }
    }
    text.push('}');
    let problems = check_one(&text).1;
    assert_eq!(problems.len(), Findings::MAX);
    let rendered: usize = problems.iter().map(|problem| problem.render().len()).sum();
    assert!(rendered < 1 << 20, "{rendered}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_text_never_panics(text in "[\\PC\n\t ]{0,200}") {
        let (policy, problems) = check_one(&text);
        prop_assert!(policy.is_none() && !problems.is_empty());
        for problem in problems {
            prop_assert!(problem.line >= 1 && problem.column >= 1 && !problem.help.is_empty());
            let shown = problem.render();
            prop_assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{}", shown);
        }
    }

    #[test]
    fn text_of_yaml_s_own_letters_never_panics(text in "[a-c:{}\\[\\]&*!|>'\"%@`~,?# \n-]{0,120}") {
        let (policy, problems) = check_one(&text);
        prop_assert!(policy.is_none() && !problems.is_empty());
    }

    #[test]
    fn a_damaged_example_never_panics(
        at in any::<prop::sample::Index>(),
        length in 0..8_usize,
        put in "[-a-z0-9:{}\\[\\]%& \n\t]{0,6}",
    ) {
        let everything = ("all.yaml".to_owned(), meaning::EVERYTHING.to_owned());
        for (name, text) in examples().into_iter().chain([everything]) {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let from = *at.get(&places);
            let to = text.char_indices().map(|(at, _)| at).find(|p| *p >= from + length);
            let damaged = format!("{}{put}{}", &text[..from], &text[to.unwrap_or(text.len())..]);
            let (policy, problems) = check(&[(name, damaged)]);
            prop_assert_eq!(policy.is_some(), problems.is_empty());
        }
    }

    #[test]
    fn another_value_anywhere_is_a_policy_or_a_problem(
        at in any::<prop::sample::Index>(),
        value in prop::sample::select(vec![
            "~", "[]", "{}", "''", "-1", "0", "1", "1e3", "4294967296", "true", "0%", "100%", "1s",
            "1B", "[a]", "[[]]", "{a: b}", "{a: {}}", "&x y", "*y", "!t v", "mailbox", "up", "*",
            "/", "/**", "GET", "none", "\"\\u0000\"", "|\n  x", "# nothing",
        ]),
    ) {
        // Every `key: value` of a policy that has every key gets another value.
        let text = meaning::EVERYTHING;
        let colons: Vec<usize> = text.match_indices(": ").map(|(at, _)| at + 2).collect();
        let from = *at.get(&colons);
        let length = text[from..].find([',', '}', '\n']).unwrap_or_default();
        let changed = format!("{}{value}{}", &text[..from], &text[from + length..]);
        let (policy, problems) = check_one(&changed);
        prop_assert_eq!(policy.is_some(), problems.is_empty(), "{}", changed);
    }
}

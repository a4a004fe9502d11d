//! The examples of the repository are a policy; and five mistakes are five problems.

use std::path::Path;

use super::*;
use crate::policy::{Mode, Target};

pub(super) fn examples() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder of the examples")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "yaml"))
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("a readable example"))
        })
        .collect();
    files.sort();
    assert!(files.len() >= 3, "{folder:?}");
    files
}

#[test]
fn the_examples_are_one_policy() {
    let (policy, problems) = check(&examples());
    let rendered: Vec<_> = problems.iter().map(Problem::render).collect();
    let policy = policy.unwrap_or_else(|| panic!("{}", rendered.join("\n")));
    assert_eq!(policy.upstreams.len(), 3);
    assert_eq!(policy.functions.len(), 4);
    assert_eq!(policy.routes.len(), 12);
    let receive = &policy.routes["mail-receive"];
    assert_eq!(&*receive.origin.file, "mail.yaml");
    assert_eq!(receive.target.upstream().as_str(), "mailbox");
    assert!(matches!(receive.target, Target::Function { .. }));
    let reports = policy.routes["reports"].admission.as_ref().expect("has thresholds");
    assert_eq!(reports.mode, Mode::Shadow);
}

#[test]
fn each_example_is_a_policy_of_its_own() {
    for file in examples() {
        let (policy, problems) = check(std::slice::from_ref(&file));
        assert!(policy.is_some(), "{}: {problems:#?}", file.0);
    }
}

#[test]
fn five_mistakes_are_five_problems_each_in_its_line() {
    let (name, text) = examples().into_iter().find(|(name, _)| name == "mail.yaml").expect("mail");
    let mistakes = [
        ("source: actuator", "source: actuater"),
        ("{ upstream: mailbox, reserved: 30 }", "{ upstream: mailbx, reserved: 30 }"),
        ("enter: 85%, exit: 75%", "enter: 75%, exit: 85%"),
        ("fresh_for: 30s", "fresh_fro: 30s"),
        ("rps: { limit: 20, per", "rps: { limit: -20, per"),
    ];
    let mut wrong = text.clone();
    let mut lines = Vec::new();
    for (good, bad) in mistakes {
        assert_eq!(text.matches(good).count(), 1, "{good}");
        wrong = wrong.replace(good, bad);
    }
    for (_, bad) in mistakes {
        let at = wrong.find(bad).expect("was put there");
        lines.push(u32::try_from(wrong[..at].matches('\n').count()).expect("small") + 1);
    }
    lines.sort_unstable();
    let (policy, problems) = check(&[(name, wrong)]);
    assert!(policy.is_none());
    assert_eq!(problems.iter().map(|p| p.line).collect::<Vec<_>>(), lines, "{problems:#?}");
    let helps: Vec<_> = problems.iter().map(|p| p.help.as_str()).collect();
    assert!(helps.contains(&"did you mean `actuator`?"), "{helps:?}");
    assert!(helps.contains(&"did you mean `mailbox`?"), "{helps:?}");
    assert!(helps.contains(&"did you mean `fresh_for`?"), "{helps:?}");
}

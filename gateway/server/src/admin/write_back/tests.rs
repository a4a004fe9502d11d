use proptest::prelude::*;

use super::*;

fn edited(text: &str, reserved: Option<u32>) -> Result<String, CannotEdit> {
    reserve(text, "f", reserved)
}

#[test]
fn only_the_token_of_the_value_changes() {
    for (text, wanted) in [
        (
            "# head\nfunctions:\n  f:\n    upstream: a\n    reserved: 300   # nightly\n",
            "# head\nfunctions:\n  f:\n    upstream: a\n    reserved: 7   # nightly\n",
        ),
        (
            "functions: { f: { upstream: a, reserved: 300 }, g: { upstream: a } }\n",
            "functions: { f: { upstream: a, reserved: 7 }, g: { upstream: a } }\n",
        ),
        (
            "functions:\n  f: {reserved: '300',upstream: a}",
            "functions:\n  f: {reserved: 7,upstream: a}",
        ),
        (
            "functions:\r\n  f:\r\n    reserved: 300\r\n    upstream: a\r\n",
            "functions:\r\n  f:\r\n    reserved: 7\r\n    upstream: a\r\n",
        ),
        (
            "n: &n 300\nfunctions:\n  f:\n    reserved: *n\n    upstream: a\n",
            "n: &n 300\nfunctions:\n  f:\n    reserved: 7\n    upstream: a\n",
        ),
        (
            "functions:\n  f:\n    reserved:   # none\n    upstream: a\n",
            "functions:\n  f:\n    reserved: 7   # none\n    upstream: a\n",
        ),
    ] {
        assert_eq!(edited(text, Some(7)).as_deref(), Ok(wanted), "{text}");
    }
}

#[test]
fn where_there_is_none_it_is_put_in() {
    for (text, wanted) in [
        (
            "functions:\n  f:\n    # why\n    upstream: a   # x\n\nroutes: {}\n",
            "functions:\n  f:\n    # why\n    upstream: a   # x\n    reserved: 7\n\nroutes: {}\n",
        ),
        ("functions:\n  f:\n    upstream: a", "functions:\n  f:\n    upstream: a\n    reserved: 7"),
        (
            "functions:\r\n  f:\r\n    upstream: a\r\n",
            "functions:\r\n  f:\r\n    upstream: a\r\n    reserved: 7\r\n",
        ),
        ("functions: { f: { upstream: a } }", "functions: { f: { upstream: a, reserved: 7 } }"),
        ("functions: {f: {upstream: a,}}", "functions: {f: {upstream: a, reserved: 7,}}"),
        (
            "functions:\n  f: { upstream: \"a\" # x\n  }\n",
            "functions:\n  f: { upstream: \"a\", reserved: 7 # x\n  }\n",
        ),
    ] {
        assert_eq!(edited(text, Some(7)).as_deref(), Ok(wanted), "{text}");
    }
}

#[test]
fn where_it_is_released_it_goes_and_comments_stay() {
    for (text, wanted) in [
        (
            "functions:\n  f:\n    upstream: a\n    reserved: 300\nroutes: {}\n",
            "functions:\n  f:\n    upstream: a\nroutes: {}\n",
        ),
        (
            "functions:\n  f:\n    reserved: 300  # nightly\n    upstream: a\n",
            "functions:\n  f:\n    # nightly\n    upstream: a\n",
        ),
        (
            "functions:\n  f:\n    upstream: a\n    reserved: 1",
            "functions:\n  f:\n    upstream: a\n",
        ),
        ("functions: { f: { upstream: a, reserved: 300 } }", "functions: { f: { upstream: a } }"),
        ("functions: { f: { reserved: 300, upstream: a } }", "functions: { f: { upstream: a } }"),
        ("functions: {f: {upstream: a,reserved: 3,}}", "functions: {f: {upstream: a,}}"),
        (
            "functions:\n  f: { upstream: a, # why\n    reserved: 3 }\n",
            "functions:\n  f: { upstream: a, # why\n     }\n",
        ),
        ("functions: { f: { upstream: a } }", "functions: { f: { upstream: a } }"),
    ] {
        assert_eq!(edited(text, None).as_deref(), Ok(wanted), "{text}");
    }
}

#[test]
fn what_others_share_is_left_to_a_person() {
    for text in [
        "functions:\n  f: &f { upstream: a, reserved: 3 }\n  g: *f\n",
        "functions:\n  g: &f { upstream: a, reserved: 3 }\n  f: *f\n",
        "functions:\n  f:\n    upstream: a\n    reserved: &n 3\n",
        "functions:\n  f: {}\n",
        "functions:\n  f: text\n",
    ] {
        assert_eq!(edited(text, Some(7)), Err(CannotEdit::Shared), "{text}");
    }
    for text in ["", "functions: {}\n", "routes: { f: {} }\n", "functions: [f]\n", "a: [\n"] {
        assert_eq!(edited(text, Some(7)), Err(CannotEdit::NotHere), "{text}");
    }
}

/// A function as somebody may write it.
#[derive(Clone, Debug)]
struct Written {
    flow: bool,
    /// Before or after `upstream`; none: not written.
    reserved: Option<(bool, u32)>,
    /// Behind each entry (block style), or after the mapping.
    comments: [String; 2],
    quotes: bool,
    gap: usize,
}

impl Written {
    fn text(&self, name: &str) -> String {
        let value = |n: u32| if self.quotes { format!("'{n}'") } else { n.to_string() };
        let gap = " ".repeat(self.gap);
        let mut entries = vec!["upstream: mailbox".to_owned()];
        if let Some((first, n)) = self.reserved {
            let entry = format!("reserved: {gap}{}", value(n));
            entries.insert(usize::from(!first), entry);
        }
        if self.flow {
            let body = entries.join(&format!(",{gap} "));
            return format!("  {name}: {{{gap}{body} }}{}\n", self.comments[0]);
        }
        let lines = entries.iter().zip(&self.comments);
        let body: Vec<String> = lines.map(|(e, c)| format!("    {gap}{e}{c}")).collect();
        format!("  {name}:\n{}\n", body.join("\n"))
    }
}

fn comment() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-z,:{}\\[\\]'\"#*& é]{0,20}".prop_map(|text| format!("   # {text}")),
    ]
}

fn written() -> impl Strategy<Value = Written> {
    let reserved = prop::option::of((any::<bool>(), 0_u32..1000));
    (any::<bool>(), reserved, [comment(), comment()], any::<bool>(), 0_usize..4).prop_map(
        |(flow, reserved, comments, quotes, gap)| Written { flow, reserved, comments, quotes, gap },
    )
}

/// Longest common start and end of two texts, not overlapping: what an edit left alone.
fn kept(old: &str, new: &str) -> usize {
    let (old, new) = (old.as_bytes(), new.as_bytes());
    let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - start;
    let end = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    start + end
}

proptest! {
    #[test]
    fn every_other_byte_stays(
        functions in prop::collection::vec(written(), 1..5),
        at in any::<prop::sample::Index>(),
        n in prop::option::of(0_u32..1000),
        crlf in any::<bool>(),
    ) {
        let at = at.index(functions.len());
        let name = format!("fn-{at}");
        let body: String =
            functions.iter().enumerate().map(|(i, f)| f.text(&format!("fn-{i}"))).collect();
        let text = format!("# ä comment\nversion: 1\n\nfunctions:\n{body}\nroutes:\n  r: {{ a: b }} # end\n");
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        let new = reserve(&text, &name, n).unwrap();

        let kept = kept(&text, &new);
        let before = functions[at].reserved;
        match (before, n) {
            // A token for a token: what differs is no more than the two tokens.
            (Some((_, old)), Some(n)) => {
                let quotes = if functions[at].quotes { 2 } else { 0 };
                prop_assert!(text.len() - kept <= old.to_string().len() + quotes);
                prop_assert!(new.len() - kept <= n.to_string().len());
            }
            // Put in: nothing of the old text is lost.
            (None, Some(_)) => prop_assert_eq!(kept, text.len()),
            // Taken out: nothing new comes, and no comment goes.
            (Some(_), None) => {
                prop_assert_eq!(kept, new.len());
                prop_assert_eq!(text.matches('#').count(), new.matches('#').count());
            }
            (None, None) => prop_assert_eq!(&new, &text),
        }
        // Doing it again changes nothing.
        prop_assert_eq!(reserve(&new, &name, n).unwrap(), new);
    }
}

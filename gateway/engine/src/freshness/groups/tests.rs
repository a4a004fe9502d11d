use super::*;

const ORIGIN: &[u8] = b"http\nitems.internal";

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_str(value).expect("valid"));
    }
    headers
}

fn labels(lines: &[(&'static str, &str)]) -> Vec<u64> {
    Labels::read(&headers(lines), ORIGIN).hashes().to_vec()
}

fn invalidated(line: &str) -> Vec<u64> {
    invalidated_groups(&headers(&[("cache-group-invalidation", line)]), ORIGIN)
}

#[test]
fn rfc9875_2_groups_are_a_list_of_strings() {
    let both = labels(&[("cache-groups", "\"a\", \"b\"")]);
    assert_eq!(both, labels(&[("cache-groups", "\"a\""), ("cache-groups", "\"b\"")]));
    assert_eq!(both, labels(&[("cache-groups", "\"a\";x=1, \"b\"")]));
    assert_eq!(both, invalidated("\"a\", \"b\""));
    assert_eq!(labels(&[("cache-groups", "a, \"b\"")]), invalidated("\"b\""));
    assert_ne!(labels(&[("cache-groups", "\"A\"")]), labels(&[("cache-groups", "\"a\"")]));
    for broken in ["\"a", "&", "\"a\",", "\"a\" \"b\""] {
        assert!(labels(&[("cache-groups", broken)]).is_empty(), "{broken}");
    }
}

#[test]
fn rfc9875_2_1_groups_belong_to_an_origin_and_tags_to_none() {
    let response = headers(&[("cache-groups", "\"a\""), ("cache-tag", "a")]);
    let here = Labels::read(&response, ORIGIN);
    let there = Labels::read(&response, b"http\nother.internal");
    assert_ne!(here.hashes()[0], there.hashes()[0]);
    assert_eq!(here.hashes()[1], there.hashes()[1]);
    assert_ne!(here.hashes()[0], here.hashes()[1]);
}

#[test]
fn rfc9875_2_at_least_32_groups_of_32_characters() {
    let groups: Vec<String> = (0..32).map(|n| format!("\"{n:032}\"")).collect();
    assert_eq!(labels(&[("cache-groups", &groups.join(", "))]).len(), 32);
    let many: Vec<String> = (0..1000).map(|n| format!("\"{n}\"")).collect();
    assert_eq!(labels(&[("cache-groups", &many.join(", "))]).len(), LABELS_MAX);
}

#[test]
fn tags_in_both_spellings() {
    let tags = labels(&[("surrogate-key", "one two"), ("cache-tag", " three four , five,")]);
    let expected = ["one", "two", "three four", "five"];
    assert_eq!(tags, expected.map(|tag| Labels::of_tag(tag.as_bytes())));
    assert!(labels(&[]).is_empty());
}

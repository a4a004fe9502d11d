//! RFC 9111 §4.1: which of several stored answers, if any, is the one for a request.

use super::rows;

/// A stored answer that varies, and whether a second request gets it.
macro_rules! pairs {
    ($($name:ident: $vary:literal, $first:literal, $second:literal => $then:ident)*) => {
        rows! {
            $($name: (concat!(
                "< 200 | cache-control: max-age=60 | ", $vary, "\n> GET | ", $first,
                "\n= miss\n< 200\n> GET | ", $second, "\n= ", stringify!($then)
            )))*
        }
    };
}

pairs! {
    s4_1_the_same_value: "vary: foo", "foo: 1", "foo: 1" => hit
    s4_1_another_value: "vary: foo", "foo: 1", "foo: 2" => miss
    s4_1_another_case_of_a_value: "vary: foo", "foo: a", "foo: A" => miss
    s4_1_the_name_has_no_case: "vary: FoO", "foo: 1", "fOO: 1" => hit
    s4_1_the_name_has_no_case_and_counts: "vary: FoO", "foo: 1", "fOO: 2" => miss
    s4_1_absent_then_present: "vary: foo", "x: 1", "foo: 1" => miss
    s4_1_present_then_absent: "vary: foo", "foo: 1", "x: 1" => miss
    s4_1_absent_both_times: "vary: foo", "x: 1", "x: 2" => hit
    s4_1_empty_is_not_absent: "vary: foo", "foo:", "x: 1" => miss
    s4_1_fields_that_are_not_named: "vary: foo", "foo: 1 | bar: 1", "foo: 1 | bar: 2" => hit
    s4_1_two_fields_agree: "vary: foo, bar", "foo: 1 | bar: 2", "bar: 2 | foo: 1" => hit
    s4_1_the_first_of_two_differs: "vary: foo, bar", "foo: 1 | bar: 2", "foo: 9 | bar: 2" => miss
    s4_1_the_second_of_two_differs: "vary: foo, bar", "foo: 1 | bar: 2", "foo: 1 | bar: 9" => miss
    s4_1_values_of_two_fields_do_not_mix: "vary: foo, bar", "foo: 12 | bar: 3", "foo: 1 | bar: 23" => miss
    s4_1_two_lines_of_vary: "vary: foo | vary: bar", "foo: 1 | bar: 2", "foo: 1 | bar: 9" => miss
    s4_1_two_lines_of_vary_agree: "vary: foo | vary: bar", "foo: 1 | bar: 2", "foo: 1 | bar: 2" => hit
    s4_1_star: "vary: *", "foo: 1", "foo: 1" => miss
    s4_1_star_last: "vary: foo, *", "foo: 1", "foo: 1" => miss
    s4_1_star_first: "vary: *, foo", "foo: 1", "foo: 1" => miss
    s4_1_star_on_another_line: "vary: foo | vary: *", "foo: 1", "foo: 1" => miss
    s4_1_star_with_space: "vary: foo , *", "foo: 1", "foo: 1" => miss
    s4_1_empty_vary_is_none: "vary:", "foo: 1", "foo: 2" => hit
    s4_1_empty_members_are_skipped: "vary: ,foo,,", "foo: 1", "foo: 1" => hit
    s4_1_no_field_name_is_like_star: "vary: a b", "foo: 1", "foo: 1" => miss
    s4_1_space_around_commas_of_a_value: "vary: foo", "foo: 1, 2", "foo: 1,2" => hit
    s4_1_lines_of_a_value_are_joined: "vary: foo", "foo: 1 | foo: 2", "foo: 1, 2" => hit
    s4_1_the_order_of_an_unknown_field_counts: "vary: foo", "foo: 1, 2", "foo: 2, 1" => miss
    s4_1_languages_have_no_case: "vary: accept-language", "accept-language: EN", "accept-language: en" => hit
    s4_1_languages_have_no_order:
        "vary: accept-language", "accept-language: en, de", "accept-language: de, en" => hit
    s4_1_space_in_languages:
        "vary: accept-language", "accept-language: en;q=0.5", "accept-language: en; q=0.5" => hit
    s4_1_other_languages: "vary: accept-language", "accept-language: en", "accept-language: de" => miss
    s4_1_other_weights_of_languages:
        "vary: accept-language", "accept-language: en;q=0.5", "accept-language: en;q=0.6" => miss
    s4_1_encodings_have_no_case: "vary: accept-encoding", "accept-encoding: GZIP", "accept-encoding: gzip" => hit
    s4_1_encodings_have_no_order:
        "vary: accept-encoding", "accept-encoding: gzip, br", "accept-encoding: br,gzip" => hit
    s4_1_other_encodings: "vary: accept-encoding", "accept-encoding: gzip", "accept-encoding: br" => miss
    s4_1_no_encodings_is_another_wish: "vary: accept-encoding", "accept-encoding: gzip", "x: 1" => miss
    s4_1_what_the_gateway_sets_is_like_star: "vary: x-forwarded-for", "foo: 1", "foo: 1" => miss
}

rows! {
    s4_1_several_variants_are_kept: "
        < 200 | cache-control: max-age=60 | vary: foo
        > GET | foo: 1
        < 200 | cache-control: max-age=60 | vary: foo
        > GET | foo: 2
        > GET | foo: 1
        = hit | body b1
        > GET | foo: 2
        = hit | body b2"
    s4_1_one_variant_is_replaced_alone: "
        < 200 | cache-control: max-age=60 | vary: foo
        > GET | foo: 1
        < 200 | cache-control: max-age=60 | vary: foo
        > GET | foo: 2
        < 200 | cache-control: max-age=60 | vary: foo
        > GET | foo: 1 | cache-control: no-cache
        = miss
        > GET | foo: 2
        = hit | body b2
        > GET | foo: 1
        = hit | body b3"
    s4_the_newest_of_those_that_match: "
        < 200 | cache-control: max-age=60 | date: {now-5} | vary: foo
        > GET | foo: 1 | bar: 1
        < 200 | cache-control: max-age=60 | date: {now} | vary: bar
        > GET | foo: 2 | bar: 1
        > GET | foo: 1 | bar: 1
        = hit | body b2"
    s4_1_a_varying_answer_does_not_hide_the_others: "
        < 200 | cache-control: max-age=60 | vary: foo
        > GET | foo: 1
        < 200 | cache-control: no-store
        > GET | foo: 2
        > GET | foo: 1
        = hit | body b1"
    s4_1_vary_is_stored: "
        < 200 | cache-control: max-age=60 | vary: foo, Bar
        > GET
        > GET
        = hit | vary: foo, Bar"
    policy_key_headers_belong_to_the_key: "
        keys: key: { headers: [x-tenant] }
        < 200 | cache-control: max-age=60
        > GET | x-tenant: a
        < 200 | cache-control: max-age=60
        > GET | x-tenant: b
        = miss
        > GET | x-tenant: a
        = hit | body b1"
    policy_key_without_a_parameter: "
        keys: key: { query: { drop: [utm], sort: true } }
        < 200 | cache-control: max-age=60
        > GET ?b=2&utm=x&a=1
        > GET ?a=1&b=2
        = hit"
}

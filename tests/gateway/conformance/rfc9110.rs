//! RFC 9110 §13 conditional requests and §14 ranges over what is stored; §8.8 validators.

use super::rows;

/// A stored answer with a tag and a date, and what a conditional request gets of it.
macro_rules! conditions {
    ($($name:ident: $stored:literal, $request:literal => $then:literal)*) => {
        rows! {
            $($name: (concat!(
                "< 200 | cache-control: max-age=600 | body: abcdefghij | ", $stored,
                "\n> GET\n= miss\n> GET | ", $request, "\n= hit | ", $then
            )))*
        }
    };
}

conditions! {
    s13_1_2_the_same_tag: "etag: \"1\"", "if-none-match: \"1\"" => "304 | etag: \"1\" | body -"
    s13_1_2_another_tag: "etag: \"1\"", "if-none-match: \"2\"" => "200"
    s13_1_2_weak_against_strong: "etag: \"1\"", "if-none-match: W/\"1\"" => "304"
    s13_1_2_strong_against_weak: "etag: W/\"1\"", "if-none-match: \"1\"" => "304"
    s13_1_2_weak_against_weak: "etag: W/\"1\"", "if-none-match: W/\"1\"" => "304"
    s13_1_2_a_lower_case_w: "etag: W/\"1\"", "if-none-match: w/\"1\"" => "304"
    s13_1_2_first_of_a_list: "etag: \"1\"", "if-none-match: \"1\", \"2\"" => "304"
    s13_1_2_last_of_a_list: "etag: \"1\"", "if-none-match: \"0\", W/\"2\" ,\"1\"" => "304"
    s13_1_2_not_in_a_list: "etag: \"1\"", "if-none-match: \"0\", \"2\"" => "200"
    s13_1_2_on_a_second_line: "etag: \"1\"", "if-none-match: \"0\" | if-none-match: \"1\"" => "304"
    s13_1_2_star: "etag: \"1\"", "if-none-match: *" => "304"
    s13_1_2_a_tag_with_a_comma: "etag: \"a,b\"", "if-none-match: \"x\", \"a,b\"" => "304"
    s13_1_2_half_of_a_tag_with_a_comma: "etag: \"a,b\"", "if-none-match: \"a\", \"b\"" => "200"
    s13_1_2_a_tag_without_quotes: "etag: abc", "if-none-match: \"abc\"" => "304"
    s13_1_2_asked_without_quotes: "etag: \"abc\"", "if-none-match: abc" => "304"
    s13_1_2_a_tag_has_a_case: "etag: \"a\"", "if-none-match: \"A\"" => "200"
    s13_1_2_a_tag_with_a_backslash: "etag: \"a\\b\"", "if-none-match: \"a\\b\"" => "304"
    s13_1_2_an_empty_tag: "etag: \"\"", "if-none-match: \"\"" => "304"
    s13_1_3_the_same_date:
        "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
        "if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT" => "304"
    s13_1_3_a_later_date:
        "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
        "if-modified-since: Sun, 06 Nov 1994 08:49:38 GMT" => "304"
    s13_1_3_an_earlier_date:
        "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
        "if-modified-since: Sun, 06 Nov 1994 08:49:36 GMT" => "200"
    s13_1_3_the_same_date_in_rfc_850:
        "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
        "if-modified-since: Sunday, 06-Nov-94 08:49:37 GMT" => "304"
    s13_1_3_the_same_date_in_asctime:
        "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
        "if-modified-since: Sun Nov  6 08:49:37 1994" => "304"
    s13_1_3_no_date: "last-modified: Sun, 06 Nov 1994 08:49:37 GMT", "if-modified-since: today" => "200"
    s13_1_3_two_dates:
        "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
        "if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT | if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT"
        => "200"
    s4_3_2_date_where_there_is_no_last_modified: "date: {now-10}", "if-modified-since: {now-5}" => "304"
    s4_3_2_date_later_than_asked: "date: {now-10}", "if-modified-since: {now-15}" => "200"
    s13_2_2_the_tag_goes_before_the_date:
        "etag: \"1\" | last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
        "if-none-match: \"2\" | if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT" => "200"
    s13_2_2_a_matching_tag_goes_before_an_older_date:
        "etag: \"1\" | last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
        "if-none-match: \"1\" | if-modified-since: Sun, 06 Nov 1994 08:49:36 GMT" => "304"
    s15_4_5_what_a_304_repeats:
        "etag: \"1\" | vary: x | content-location: /y | date: Thu, 18 Aug 2050 02:01:18 GMT",
        "if-none-match: \"1\"" =>
        "304 | vary: x | content-location: /y | cache-control: max-age=600 | date: ~2050 | content-type: -"
    s14_1_2_first_and_last: "etag: \"1\"", "range: bytes=2-4" =>
        "206 | body cde | content-range: bytes 2-4/10 | content-length: 3"
    s14_1_2_from_first: "etag: \"1\"", "range: bytes=7-" => "206 | body hij | content-range: bytes 7-9/10"
    s14_1_2_the_last_bytes: "etag: \"1\"", "range: bytes=-2" => "206 | body ij | content-range: bytes 8-9/10"
    s14_1_2_more_last_bytes_than_there_are: "etag: \"1\"", "range: bytes=-99" => "206 | body abcdefghij"
    s14_1_2_beyond_the_end: "etag: \"1\"", "range: bytes=8-99" => "206 | body ij | content-range: bytes 8-9/10"
    s14_1_2_one_byte: "etag: \"1\"", "range: bytes=0-0" => "206 | body a"
    s15_5_17_behind_the_end: "etag: \"1\"", "range: bytes=10-" => "416 | content-range: bytes */10"
    s15_5_17_no_last_bytes: "etag: \"1\"", "range: bytes=-0" => "416"
    s14_2_backwards_is_ignored: "etag: \"1\"", "range: bytes=4-2" => "200 | body abcdefghij"
    s14_2_another_unit_is_ignored: "etag: \"1\"", "range: lines=1-2" => "200 | body abcdefghij"
    s14_2_nonsense_is_ignored: "etag: \"1\"", "range: bytes=a-b" => "200 | body abcdefghij"
    s14_2_several_ranges_get_the_whole: "etag: \"1\"", "range: bytes=0-1,3-4" => "200 | body abcdefghij"
    s14_1_units_have_no_case: "etag: \"1\"", "range: BYTES=0-1" => "206 | body ab"
    s14_2_a_condition_goes_first: "etag: \"1\"", "range: bytes=0-1 | if-none-match: \"1\"" => "304"
    s13_1_5_if_range_with_the_same_tag: "etag: \"1\"", "range: bytes=0-1 | if-range: \"1\"" => "206 | body ab"
    s13_1_5_if_range_with_another_tag: "etag: \"1\"", "range: bytes=0-1 | if-range: \"2\"" => "200 | body abcdefghij"
    s13_1_5_if_range_with_a_weak_tag: "etag: W/\"1\"", "range: bytes=0-1 | if-range: W/\"1\"" => "200"
    s13_1_5_if_range_weak_against_strong: "etag: \"1\"", "range: bytes=0-1 | if-range: W/\"1\"" => "200"
    s13_1_5_if_range_with_the_date:
        "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
        "range: bytes=0-1 | if-range: Sun, 06 Nov 1994 08:49:37 GMT" => "206 | body ab"
    s13_1_5_if_range_with_a_later_date:
        "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
        "range: bytes=0-1 | if-range: Sun, 06 Nov 1994 08:49:38 GMT" => "200"
    s13_1_5_if_range_with_a_date_that_is_not_strong:
        "last-modified: {now} | date: {now}", "range: bytes=0-1 | if-range: {now}" => "200"
}

rows! {
    s8_8_3_a_tag_from_date_and_length: "
        < 200 | cache-control: max-age=60 | last-modified: Sun, 06 Nov 1994 08:49:37 GMT
        > GET
        = etag: ~W/\"lm-
        > GET | if-none-match: W/\"lm-2ebc98a1-2\"
        = hit | 304"
    s8_8_3_a_tag_from_the_body: "
        < 200 | cache-control: max-age=60
        > GET
        = etag: ~W/\"xxh3-
        > GET
        = hit | etag: ~W/\"xxh3-"
    s8_8_3_no_second_tag: "
        < 200 | cache-control: max-age=60 | etag: \"own\"
        > GET
        = etag: \"own\""
    s8_8_3_no_tag_on_other_statuses: "
        < 404 | cache-control: max-age=60
        > GET
        > GET
        = hit | 404 | etag: -"
    s13_1_2_the_first_answer_serves_the_condition_too: "
        < 200 | cache-control: max-age=60 | etag: \"1\"
        > GET | if-none-match: \"1\"
        = miss | 304
        > GET
        = hit | 200 | body b1"
    s13_2_1_conditions_do_not_apply_to_errors: "
        < 404 | cache-control: max-age=60 | etag: \"1\"
        > GET
        > GET | if-none-match: \"1\"
        = hit | 404"
    s13_1_1_if_match_is_the_origins: "
        < 200 | cache-control: max-age=60 | etag: \"1\"
        > GET
        < 412
        > GET | if-match: \"2\"
        = miss | 412"
    s13_1_4_if_unmodified_since_is_the_origins: "
        < 200 | cache-control: max-age=60 | etag: \"1\"
        > GET
        < 412
        > GET | if-unmodified-since: Sun, 06 Nov 1994 08:49:37 GMT
        = miss | 412"
    s13_1_2_head_is_answered_with_304: "
        < 200 | cache-control: max-age=60 | etag: \"1\"
        > GET
        > HEAD | if-none-match: \"1\"
        = hit | 304"
    s14_2_range_means_nothing_to_head: "
        < 200 | cache-control: max-age=60
        > GET
        > HEAD | range: bytes=0-0
        = hit | 200"
    s14_2_range_means_nothing_to_an_error: "
        < 404 | cache-control: max-age=60
        > GET
        > GET | range: bytes=0-0
        = hit | 404 | body b1"
    s14_2_a_range_with_nothing_stored_is_the_origins: "
        < 206 | content-range: bytes 0-0/2 | body: b
        > GET | range: bytes=0-0
        = miss | 206 | body b | origin range: bytes=0-0"
    s14_3_a_part_of_a_confirmed_answer: "
        < 200 | cache-control: max-age=0 | etag: \"1\"
        > GET
        < 304 | etag: \"1\"
        > GET | range: bytes=1-1
        = asks | 206 | body 1"
    s15_4_5_a_conditional_answer_of_the_origin_is_passed_on: "
        < 304 | etag: \"9\"
        > GET | if-none-match: \"9\" | cache-control: no-store
        = miss | 304 | etag: \"9\""
    s9_3_1_a_get_with_a_body_is_the_origins: "
        < 200 | cache-control: max-age=60
        > GET
        < 200 | cache-control: max-age=60
        > GET | body: x
        = miss | body b2
        > GET
        = hit | body b1"
}

//! RFC 9213: targeted cache control, `Sumun-Cache-Control` before `CDN-Cache-Control`.

use super::{rows, twice};

twice! {
    s2_2_max_age: "cdn-cache-control: max-age=60" => hit
    s2_2_of_its_own_name: "sumun-cache-control: max-age=60" => hit
    s2_2_its_own_name_goes_first: "cdn-cache-control: max-age=60 | sumun-cache-control: no-store" => miss
    s2_2_its_own_name_goes_first_the_other_way:
        "cdn-cache-control: no-store | sumun-cache-control: max-age=60" => hit
    s2_2_another_target_means_nothing: "surrogate-control: max-age=60" => miss
    s2_2_beats_a_short_max_age: "cdn-cache-control: max-age=600 | cache-control: max-age=0" => hit
    s2_2_beats_a_long_max_age: "cdn-cache-control: max-age=0 | cache-control: max-age=600" => miss
    s2_2_beats_no_store: "cdn-cache-control: max-age=600 | cache-control: no-store" => hit
    s2_2_beats_private: "cdn-cache-control: max-age=600 | cache-control: private" => hit
    s2_2_beats_no_cache: "cdn-cache-control: max-age=600 | cache-control: no-cache" => hit
    s2_2_beats_a_past_expires: "cdn-cache-control: max-age=600 | expires: {now-60}" => hit
    s2_2_beats_an_invalid_expires: "cdn-cache-control: max-age=600 | expires: 0" => hit
    s2_2_beats_a_future_expires: "cdn-cache-control: max-age=0 | expires: {now+600}" => miss
    s2_2_without_freshness_expires_gives_none: "cdn-cache-control: public | expires: {now+600}" => miss
    s2_2_no_store: "cdn-cache-control: no-store | cache-control: max-age=600" => miss
    s2_2_private: "cdn-cache-control: private | cache-control: max-age=600" => miss
    s2_2_no_cache: "cdn-cache-control: no-cache | cache-control: max-age=600" => miss
    s2_2_age_counts: "cdn-cache-control: max-age=60 | age: 70" => miss
    s2_2_date_counts: "cdn-cache-control: max-age=60 | date: {now-70}" => miss
    s2_1_unknown_members_are_ignored: "cdn-cache-control: foo, max-age=60, bar=(1 2);x" => hit
    s2_1_parameters_are_ignored: "cdn-cache-control: max-age=60;x=1" => hit
    s2_1_the_last_of_duplicates: "cdn-cache-control: max-age=0, max-age=60" => hit
    s2_1_two_lines_are_one_dictionary: "cdn-cache-control: public | cdn-cache-control: max-age=60" => hit
    s2_1_false_does_not_hold: "cdn-cache-control: max-age=60, no-store=?0" => hit
    s2_1_a_large_number: "cdn-cache-control: max-age=99999999999" => hit
    s2_1_a_negative_number: "cdn-cache-control: max-age=-1 | cache-control: max-age=60" => miss
    s2_1_empty_is_ignored: "cdn-cache-control: | cache-control: max-age=60" => hit
    s2_1_a_parse_error_is_ignored: "cdn-cache-control: max-age=60, &&& | cache-control: no-store" => miss
    s2_1_a_parse_error_falls_back: "cdn-cache-control: no-store, &&& | cache-control: max-age=60" => hit
    s2_1_a_string_is_no_number: "cdn-cache-control: max-age=\"60\" | cache-control: no-store" => miss
    s2_1_a_flag_is_no_number: "cdn-cache-control: max-age=60, no-store=1 | cache-control: no-store" => miss
    s2_1_a_number_is_no_flag: "cdn-cache-control: max-age | cache-control: max-age=60" => hit
    s2_1_an_inner_list_is_no_number: "cdn-cache-control: max-age=(60) | cache-control: no-store" => miss
    s2_1_a_decimal_is_no_number: "cdn-cache-control: max-age=60.0 | cache-control: no-store" => miss
    s2_1_upper_case_is_no_key: "cdn-cache-control: Max-Age=60 | cache-control: no-store" => miss
    s2_1_space_before_equals_is_an_error: "cdn-cache-control: max-age =60 | cache-control: no-store" => miss
    s2_1_space_after_equals_is_an_error: "cdn-cache-control: max-age= 60 | cache-control: no-store" => miss
    s2_1_a_trailing_comma_is_an_error: "cdn-cache-control: max-age=60, | cache-control: no-store" => miss
    s2_1_an_error_falls_back_to_the_next_target:
        "sumun-cache-control: & | cdn-cache-control: max-age=60 | cache-control: no-store" => hit
}

rows! {
    s2_2_all_fields_are_passed_on: "
        < 200 | cdn-cache-control: max-age=60;x, foo | cache-control: no-store | expires: 0
        > GET
        = cdn-cache-control: max-age=60;x, foo | cache-control: no-store | expires: 0
        > GET
        = hit | cdn-cache-control: max-age=60;x, foo | cache-control: no-store | expires: 0"
    s2_2_stale_windows_count: "
        < 200 | cdn-cache-control: max-age=60, stale-if-error=600 | age: 70
        > GET
        < 503
        > GET
        = 200 | body b1"
    s2_2_the_windows_of_cache_control_do_not: "
        < 200 | cdn-cache-control: max-age=60 | cache-control: stale-if-error=600 | age: 70 | etag: \"1\"
        > GET
        < 503
        > GET
        = 503"
    s2_2_must_revalidate_counts: "
        < 200 | cdn-cache-control: max-age=60, must-revalidate | age: 70 | etag: \"1\"
        > GET
        < 200
        > GET | cache-control: max-stale
        = asks"
    s2_1_no_cache_with_fields: "
        < 200 | cdn-cache-control: max-age=60, no-cache=\"a\" | a: 1
        > GET
        > GET
        = hit | a: -"
}

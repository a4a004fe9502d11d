//! RFC 9111 §4.2: how long an answer is fresh and how old it is; §5.1 `Age`.

use super::{rows, twice};

twice! {
    s4_2_1_max_age_is_a_lifetime: "cache-control: max-age=60" => hit
    s4_2_1_max_age_zero_is_stale: "cache-control: max-age=0" => miss
    s4_2_1_max_age_zero_with_a_tag_is_asked_about: "cache-control: max-age=0 | etag: \"1\"" => asks
    s4_2_1_s_maxage_is_a_lifetime: "cache-control: s-maxage=60" => hit
    s4_2_1_s_maxage_beats_a_shorter_max_age: "cache-control: max-age=1, s-maxage=60 | age: 30" => hit
    s4_2_1_s_maxage_beats_a_longer_max_age: "cache-control: s-maxage=1, max-age=60 | age: 30" => miss
    s4_2_1_max_age_beats_a_past_expires:
        "cache-control: max-age=60 | date: {now} | expires: {now-60}" => hit
    s4_2_1_max_age_beats_a_future_expires:
        "cache-control: max-age=0 | date: {now} | expires: {now+600}" => miss
    s4_2_1_s_maxage_beats_expires: "cache-control: s-maxage=0 | date: {now} | expires: {now+600}" => miss
    s4_2_1_without_freshness_nothing_is_stored: "x: 1" => miss
    s4_2_1_last_modified_alone_is_no_freshness: "last-modified: {now-86400}" => miss
    s4_2_1_duplicates_take_the_most_restrictive: "cache-control: max-age=60, max-age=0" => miss
    s4_2_1_duplicates_on_two_lines: "cache-control: max-age=60 | cache-control: max-age=0" => miss
    s4_2_1_a_number_that_is_none_is_stale: "cache-control: max-age=a60" => miss
    s4_2_1_digits_and_letters_are_stale: "cache-control: max-age=60s" => miss
    s4_2_1_a_fraction_is_stale: "cache-control: max-age=60.5" => miss
    s4_2_1_a_negative_number_is_stale: "cache-control: max-age=-60" => miss
    s4_2_1_an_empty_number_is_stale: "cache-control: max-age=" => miss
    s4_2_1_no_number_is_stale: "cache-control: max-age" => miss
    s4_2_1_space_before_equals_is_stale: "cache-control: max-age =60" => miss
    s4_2_1_space_after_equals_is_stale: "cache-control: max-age= 60" => miss
    s1_2_2_a_quoted_number_is_read: "cache-control: max-age=\"60\"" => hit
    s1_2_2_leading_zeros_are_read: "cache-control: max-age=00060" => hit
    s1_2_2_two_to_the_31_is_read: "cache-control: max-age=2147483648 | age: 1000" => hit
    s1_2_2_more_than_two_to_the_31_is_as_much: "cache-control: max-age=99999999999999999999" => hit
    s1_2_2_an_age_of_two_to_the_31_is_old: "cache-control: max-age=3600 | age: 2147483648" => miss
    s1_2_2_an_age_that_overflows_is_old: "cache-control: max-age=3600 | age: 99999999999" => miss
    s4_2_3_age_counts: "cache-control: max-age=60 | age: 60" => miss
    s4_2_3_age_below_the_lifetime: "cache-control: max-age=60 | age: 20" => hit
    s4_2_3_an_old_date_counts: "cache-control: max-age=60 | date: {now-61}" => miss
    s4_2_3_a_date_within_the_lifetime: "cache-control: max-age=60 | date: {now-20}" => hit
    s4_2_3_a_date_ahead_is_no_age: "cache-control: max-age=60 | date: {now+600}" => hit
    s4_2_3_the_greater_of_age_and_date_is_age:
        "cache-control: max-age=60 | date: {now} | age: 70" => miss
    s4_2_3_the_greater_of_age_and_date_is_date:
        "cache-control: max-age=60 | date: {now-70} | age: 0" => miss
    s4_2_3_an_unreadable_date_is_none: "cache-control: max-age=60 | date: yesterday" => hit
    s4_2_3_s_maxage_counts_age_too: "cache-control: s-maxage=60 | age: 70" => miss
    s5_1_age_is_the_first_of_a_list: "cache-control: max-age=60 | age: 70, 0" => miss
    s5_1_age_ignores_the_rest_of_a_list: "cache-control: max-age=60 | age: 0, 70" => hit
    s5_1_age_is_the_first_of_two_lines: "cache-control: max-age=60 | age: 70 | age: 0" => miss
    s5_1_age_ignores_a_second_line: "cache-control: max-age=60 | age: 0 | age: 70" => hit
    s5_1_a_negative_age_is_ignored: "cache-control: max-age=60 | age: -70" => hit
    s5_1_an_age_with_letters_is_ignored: "cache-control: max-age=60 | age: 70x" => hit
    s5_1_a_fraction_of_an_age_is_ignored: "cache-control: max-age=60 | age: 70.0" => hit
    s5_1_an_age_with_parameters_is_ignored: "cache-control: max-age=60 | age: 70;x=1" => hit
}

rows! {
    s4_2_3_a_hit_says_its_age: "
        < 200 | cache-control: max-age=60 | age: 20
        > GET
        = miss
        > GET
        = hit | age: >=20 | body b1"
    s4_2_3_a_hit_says_its_age_by_date: "
        < 200 | cache-control: max-age=60 | date: {now-20}
        > GET
        > GET
        = hit | age: >=20"
    s5_1_a_hit_has_one_age: "
        < 200 | cache-control: max-age=60 | age: 0, 7
        > GET
        > GET
        = hit | age: >=0"
    s4_2_2_a_guess_where_the_policy_wants_one: "
        keys: heuristic: 10%
        < 200 | last-modified: {now-86400}
        > GET
        > GET
        = hit"
    s4_2_2_a_guess_is_a_tenth: "
        keys: heuristic: 10%
        < 200 | last-modified: {now-1000} | age: 101
        > GET
        < 200
        > GET
        = asks"
    s4_2_2_a_guess_below_a_tenth: "
        keys: heuristic: 10%
        < 200 | last-modified: {now-1000} | age: 50
        > GET
        > GET
        = hit"
    s4_2_2_no_guess_without_last_modified: "
        keys: heuristic: 10%
        < 200 | etag: \"1\"
        > GET
        < 200
        > GET
        = miss"
    s4_2_2_no_guess_where_the_origin_says_how_long: "
        keys: heuristic: 10%
        < 200 | last-modified: {now-86400} | cache-control: max-age=0
        > GET
        < 200
        > GET
        = asks"
    s4_2_2_no_guess_where_expires_is_invalid: "
        keys: heuristic: 10%
        < 200 | last-modified: {now-86400} | expires: 0
        > GET
        < 200
        > GET
        = asks"
    s4_2_2_no_guess_for_a_status_that_is_not_cacheable_by_default: "
        keys: heuristic: 10%
        < 201 | last-modified: {now-86400}
        > GET
        < 200
        > GET
        = miss | body b2"
    s4_2_2_a_guess_for_404: "
        keys: heuristic: 10%
        < 404 | last-modified: {now-86400}
        > GET
        > GET
        = hit | 404"
    s4_2_2_a_guess_for_410: "
        keys: heuristic: 10%
        < 410 | last-modified: {now-86400}
        > GET
        > GET
        = hit | 410"
    s4_2_2_a_guess_for_501: "
        keys: heuristic: 10%
        < 501 | last-modified: {now-86400}
        > GET
        > GET
        = hit | 501"
    s4_2_2_a_guess_for_204: "
        keys: heuristic: 10%
        < 204 | last-modified: {now-86400}
        > GET
        > GET
        = hit | 204"
    s4_2_2_a_guess_for_308: "
        keys: heuristic: 10%
        < 308 | last-modified: {now-86400} | location: /y
        > GET
        > GET
        = hit | 308 | location: /y"
    s4_2_2_a_guess_for_any_status_that_is_public: "
        keys: heuristic: 10%
        < 599 | last-modified: {now-86400} | cache-control: public
        > GET
        > GET
        = hit | 599"
    s4_2_2_a_guess_beats_fresh_for: "
        keys: heuristic: 10%, fresh_for: 1h
        < 200 | last-modified: {now-100} | age: 60
        > GET
        < 200
        > GET
        = asks"
    policy_fresh_for_where_the_origin_says_nothing: "
        keys: fresh_for: 1h
        < 200
        > GET
        > GET
        = hit"
    policy_fresh_for_does_not_overrule_the_origin: "
        keys: fresh_for: 1h
        < 200 | cache-control: max-age=0
        > GET
        < 200
        > GET
        = miss"
    policy_fresh_for_does_not_overrule_expires: "
        keys: fresh_for: 1h
        < 200 | expires: 0
        > GET
        < 200
        > GET
        = miss"
    policy_fresh_for_is_not_for_errors: "
        keys: fresh_for: 1h
        < 500
        > GET
        < 200
        > GET
        = miss | 200"
    policy_fresh_for_counts_age: "
        keys: fresh_for: 1h
        < 200 | age: 3600
        > GET
        < 200
        > GET
        = miss"
}

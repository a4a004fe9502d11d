//! RFC 9111 §5.2.1: what a request's `Cache-Control` asks for; §5.4 `Pragma`.

use super::rows;

rows! {
    s5_2_1_1_max_age_takes_a_younger_answer: "
        < 200 | cache-control: max-age=600 | age: 20
        > GET
        > GET | cache-control: max-age=60
        = hit"
    s5_2_1_1_max_age_refuses_an_older_answer: "
        < 200 | cache-control: max-age=600 | age: 20
        > GET
        < 200
        > GET | cache-control: max-age=10
        = miss"
    s5_2_1_1_max_age_zero_asks: "
        < 200 | cache-control: max-age=600 | etag: \"1\"
        > GET
        < 304 | etag: \"1\"
        > GET | cache-control: max-age=0
        = asks | 200 | body b1"
    s5_2_1_1_an_invalid_max_age_is_zero: "
        < 200 | cache-control: max-age=600
        > GET
        < 200
        > GET | cache-control: max-age=x
        = miss"
    s5_2_1_2_max_stale_takes_a_stale_answer: "
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        > GET | cache-control: max-stale=60
        = hit"
    s5_2_1_2_max_stale_has_a_limit: "
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        < 200
        > GET | cache-control: max-stale=5
        = asks"
    s5_2_1_2_max_stale_without_a_limit: "
        < 200 | cache-control: max-age=60 | age: 7000 | etag: \"1\"
        > GET
        > GET | cache-control: max-stale
        = hit"
    s5_2_1_2_an_invalid_max_stale_takes_none: "
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        < 200
        > GET | cache-control: max-stale=x
        = asks"
    s5_2_1_2_max_stale_not_against_must_revalidate: "
        < 200 | cache-control: max-age=60, must-revalidate | age: 70 | etag: \"1\"
        > GET
        < 200
        > GET | cache-control: max-stale=60
        = asks"
    s5_2_1_2_max_stale_not_against_proxy_revalidate: "
        < 200 | cache-control: max-age=60, proxy-revalidate | age: 70 | etag: \"1\"
        > GET
        < 200
        > GET | cache-control: max-stale=60
        = asks"
    s5_2_1_2_max_stale_not_against_s_maxage: "
        < 200 | cache-control: s-maxage=60 | age: 70 | etag: \"1\"
        > GET
        < 200
        > GET | cache-control: max-stale=60
        = asks"
    s5_2_1_2_max_stale_not_against_no_cache: "
        < 200 | cache-control: max-age=60, no-cache | etag: \"1\"
        > GET
        < 200
        > GET | cache-control: max-stale=60
        = asks"
    s5_2_1_2_max_stale_with_max_age_counts_both: "
        < 200 | cache-control: max-age=60 | age: 100 | etag: \"1\"
        > GET
        < 200
        > GET | cache-control: max-stale=1000, max-age=90
        = asks"
    s5_2_1_3_min_fresh_takes_an_answer_that_lasts: "
        < 200 | cache-control: max-age=600
        > GET
        > GET | cache-control: min-fresh=60
        = hit"
    s5_2_1_3_min_fresh_refuses_one_that_does_not: "
        < 200 | cache-control: max-age=60 | age: 20
        > GET
        < 200
        > GET | cache-control: min-fresh=50
        = miss"
    s5_2_1_3_min_fresh_beyond_the_lifetime: "
        < 200 | cache-control: max-age=60
        > GET
        < 200
        > GET | cache-control: min-fresh=600
        = miss"
    s5_2_1_4_no_cache_asks: "
        < 200 | cache-control: max-age=600 | etag: \"1\"
        > GET
        < 304 | etag: \"1\"
        > GET | cache-control: no-cache
        = asks | 200 | body b1"
    s5_2_1_4_no_cache_replaces_what_is_stored: "
        < 200 | cache-control: max-age=600
        > GET
        < 200 | cache-control: max-age=600
        > GET | cache-control: no-cache
        = miss | body b2
        > GET
        = hit | body b2"
    s5_2_1_5_no_store_is_not_stored: "
        < 200 | cache-control: max-age=600
        > GET | cache-control: no-store
        < 200
        > GET
        = miss | body b2"
    s5_2_1_5_no_store_leaves_what_is_stored: "
        < 200 | cache-control: max-age=600
        > GET
        < 200 | cache-control: max-age=600
        > GET | cache-control: no-store
        > GET
        = hit | body b1"
    s5_2_1_7_only_if_cached_with_nothing_stored: "
        > GET | cache-control: only-if-cached
        = hit | 504"
    s5_2_1_7_only_if_cached_with_a_fresh_answer: "
        < 200 | cache-control: max-age=600
        > GET
        > GET | cache-control: only-if-cached
        = hit | 200 | body b1"
    s5_2_1_7_only_if_cached_with_a_stale_answer: "
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        > GET | cache-control: only-if-cached
        = hit | 504"
    s5_2_1_7_only_if_cached_and_max_stale: "
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        > GET | cache-control: only-if-cached, max-stale
        = hit | 200"
    s5_2_1_names_ignore_case: "
        < 200 | cache-control: max-age=600
        > GET
        < 200
        > GET | cache-control: NO-cache
        = miss"
    s5_2_1_unknown_directives_are_ignored: "
        < 200 | cache-control: max-age=600
        > GET
        > GET | cache-control: foo, bar=\"no-cache, x\"
        = hit"
    s5_2_1_directives_on_two_lines: "
        < 200 | cache-control: max-age=600
        > GET
        < 200
        > GET | cache-control: foo | cache-control: no-cache
        = miss"
    s5_2_1_directives_are_passed_on: "
        < 200
        > GET | cache-control: max-age=7, min-fresh=1, foo
        = miss | origin cache-control: max-age=7, min-fresh=1, foo"
    s5_4_pragma_no_cache_without_cache_control: "
        < 200 | cache-control: max-age=600
        > GET
        < 200
        > GET | pragma: no-cache
        = miss"
    s5_4_pragma_beside_cache_control_means_nothing: "
        < 200 | cache-control: max-age=600
        > GET
        > GET | pragma: no-cache | cache-control: max-age=100
        = hit"
    s5_4_another_pragma_means_nothing: "
        < 200 | cache-control: max-age=600
        > GET
        > GET | pragma: foo
        = hit"
}

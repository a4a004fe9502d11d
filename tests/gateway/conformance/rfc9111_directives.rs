//! RFC 9111 §5.2.2: what an answer's `Cache-Control` demands.

use super::{rows, twice};

twice! {
    s5_2_2_5_no_store: "cache-control: no-store, max-age=60" => miss
    s5_2_2_5_no_store_with_an_argument: "cache-control: no-store=\"x\", max-age=60" => miss
    s5_2_2_7_private: "cache-control: private, max-age=60" => miss
    s5_2_2_7_private_beats_public: "cache-control: public, private, max-age=60" => miss
    s5_2_2_7_private_beats_s_maxage: "cache-control: private, s-maxage=60" => miss
    s5_2_2_7_private_with_an_empty_list_is_private: "cache-control: private=\"\", max-age=60" => miss
    s5_2_2_4_no_cache: "cache-control: no-cache, max-age=60" => miss
    s5_2_2_4_no_cache_is_asked_about: "cache-control: no-cache, max-age=60 | etag: \"1\"" => asks
    s5_2_2_4_no_cache_without_lifetime_is_asked_about: "cache-control: no-cache | etag: \"1\"" => asks
    s5_2_2_4_no_cache_with_an_empty_list: "cache-control: no-cache=\"\", max-age=60" => miss
    s5_2_2_9_public_alone_is_no_freshness: "cache-control: public" => miss
    s5_2_2_2_must_revalidate_is_served_while_fresh: "cache-control: must-revalidate, max-age=60" => hit
    s5_2_2_8_proxy_revalidate_is_served_while_fresh:
        "cache-control: proxy-revalidate, max-age=60" => hit
    s5_2_2_3_must_understand_beats_no_store: "cache-control: must-understand, no-store, max-age=60" => hit
    s5_2_2_3_must_understand_alone: "cache-control: must-understand, max-age=60" => hit
    s5_2_2_6_no_transform_changes_nothing: "cache-control: no-transform, max-age=60" => hit
    s5_2_3_unknown_directives_are_ignored: "cache-control: max-age=60, foo, bar=1, baz=\"a,b\"" => hit
    s5_2_3_an_unknown_directive_with_a_known_one_in_it: "cache-control: x=\"no-store\", max-age=60" => hit
    s5_2_3_a_comma_in_quotes_does_not_separate:
        "cache-control: x=\"a, no-store, b\", max-age=60" => hit
    s5_2_3_an_escaped_quote_does_not_end: "cache-control: x=\"a\\\", no-store\", max-age=60" => hit
    s5_2_3_an_open_quote_hides_nothing: "cache-control: max-age=60, x=\"a, no-store" => miss
    s5_2_names_ignore_case: "cache-control: MaX-AgE=60" => hit
    s5_2_names_ignore_case_no_store: "cache-control: No-StoRE, max-age=60" => miss
    s5_2_directives_on_two_lines: "cache-control: public | cache-control: max-age=60" => hit
    s5_2_a_prohibition_on_the_second_line: "cache-control: max-age=60 | cache-control: no-store" => miss
    s5_2_empty_members_are_skipped: "cache-control: ,, max-age=60,, ,public," => hit
    s5_2_no_space_after_the_comma: "cache-control: public,max-age=60,x=1" => hit
    s5_2_tabs_are_space: "cache-control: public,\tmax-age=60\t" => hit
    s5_2_another_directive_that_ends_alike: "cache-control: x-no-store, max-age=60" => hit
    s5_2_another_directive_that_begins_alike: "cache-control: no-storex, max-age=60" => hit
    s5_2_another_max_age: "cache-control: x-max-age=0, max-age=60" => hit
    s5_4_pragma_in_an_answer_means_nothing: "cache-control: max-age=60 | pragma: no-cache" => hit
    s5_4_pragma_alone_gives_no_freshness: "pragma: max-age=60" => miss
    s5_5_warning_means_nothing: "cache-control: max-age=60 | warning: 110 - \"stale\"" => hit
}

rows! {
    s5_2_2_3_must_understand_and_an_unknown_status: "
        < 299 | cache-control: must-understand, max-age=60
        > GET
        = 299
        < 200
        > GET
        = miss | 200"
    s5_2_2_3_must_understand_no_store_and_an_unknown_status: "
        < 599 | cache-control: must-understand, no-store, max-age=60
        > GET
        < 200
        > GET
        = miss | 200"
    s5_2_2_4_no_cache_with_fields_withholds_them: "
        < 200 | cache-control: no-cache=\"a, b\", max-age=60 | a: 1 | b: 2 | c: 3
        > GET
        = miss | a: 1 | b: 2 | c: 3
        > GET
        = hit | a: - | b: - | c: 3"
    s5_2_2_4_no_cache_with_one_unquoted_field: "
        < 200 | cache-control: no-cache=a, max-age=60 | a: 1 | c: 3
        > GET
        > GET
        = hit | a: - | c: 3"
    s5_2_2_4_no_cache_confirmed_is_served: "
        < 200 | cache-control: no-cache | etag: \"1\"
        > GET
        < 304 | etag: \"1\"
        > GET
        = asks | 200 | body b1"
    s5_2_2_7_private_with_fields_withholds_them: "
        < 200 | cache-control: private=\"set-cookie, x-own\", max-age=60 | x-own: me | x-all: us
        > GET
        = miss | x-own: me
        > GET
        = hit | x-own: - | x-all: us"
    s5_2_2_7_both_kinds_of_private: "
        < 200 | cache-control: private=\"a\", private, max-age=60
        > GET
        < 200
        > GET
        = miss"
    s5_2_2_2_must_revalidate_is_not_served_stale: "
        alone
        < 200 | cache-control: max-age=60, must-revalidate | age: 70 | etag: \"1\"
        > GET
        < reset
        < reset
        > GET
        = 502"
    s5_2_2_8_proxy_revalidate_is_not_served_stale: "
        alone
        < 200 | cache-control: max-age=60, proxy-revalidate | age: 70 | etag: \"1\"
        > GET
        < reset
        < reset
        > GET
        = 502"
    s5_2_2_10_s_maxage_is_not_served_stale: "
        alone
        < 200 | cache-control: s-maxage=60 | age: 70 | etag: \"1\"
        > GET
        < reset
        < reset
        > GET
        = 502"
    s5_2_2_4_no_cache_is_not_served_stale: "
        alone
        < 200 | cache-control: no-cache, max-age=60 | etag: \"1\"
        > GET
        < reset
        < reset
        > GET
        = 502"
    s4_2_4_a_stale_answer_where_the_origin_is_gone: "
        alone
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        < reset
        < reset
        > GET
        = 200 | body b1 | age: >=70"
    s4_2_4_no_stale_answer_after_a_day: "
        alone
        < 200 | cache-control: max-age=60 | age: 86500 | etag: \"1\"
        > GET
        < reset
        < reset
        > GET
        = 502"
}

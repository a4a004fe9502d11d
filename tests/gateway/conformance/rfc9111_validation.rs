//! RFC 9111 §4.3 validation, §3.2 and §4.3.4 updating what is stored, §4.3.5 by HEAD.

use super::rows;

rows! {
    s4_3_1_asks_with_the_tag: "
        < 200 | cache-control: max-age=0 | etag: \"1\"
        > GET
        < 304 | etag: \"1\"
        > GET
        = asks | origin if-none-match: \"1\" | 200 | body b1"
    s4_3_1_asks_with_a_weak_tag_as_it_is: "
        < 200 | cache-control: max-age=0 | etag: W/\"1\"
        > GET
        < 304
        > GET
        = origin if-none-match: W/\"1\" | body b1"
    s4_3_1_asks_with_the_date: "
        < 200 | cache-control: max-age=0 | last-modified: Sun, 06 Nov 1994 08:49:37 GMT
        > GET
        < 304
        > GET
        = origin if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT | origin if-none-match: - | body b1"
    s4_3_1_asks_with_both: "
        < 200 | cache-control: max-age=0 | etag: \"1\" | last-modified: Sun, 06 Nov 1994 08:49:37 GMT
        > GET
        < 304
        > GET
        = origin if-none-match: \"1\" | origin if-modified-since: Sun, 06 Nov 1994 08:49:37 GMT"
    s4_3_1_never_asks_with_a_tag_of_ours: "
        < 200 | cache-control: max-age=60, stale-if-error=60 | age: 70
        > GET
        = etag: ~W/\"
        < 200
        > GET
        = miss | origin if-none-match: - | origin if-modified-since: -"
    s4_3_1_our_tag_of_a_date_asks_with_the_date: "
        < 200 | cache-control: max-age=0 | last-modified: Sun, 06 Nov 1994 08:49:37 GMT
        > GET
        = etag: ~W/\"lm-
        < 304
        > GET
        = asks | origin if-none-match: -"
    s4_3_1_the_clients_conditions_are_replaced_by_ours: "
        < 200 | cache-control: max-age=0 | etag: \"1\"
        > GET
        < 304 | etag: \"1\"
        > GET | if-none-match: \"0\"
        = origin if-none-match: \"1\" | 200 | body b1"
    s4_3_2_the_clients_tag_gets_304_after_ours_was_confirmed: "
        < 200 | cache-control: max-age=0 | etag: \"1\"
        > GET
        < 304 | etag: \"1\"
        > GET | if-none-match: \"1\"
        = asks | 304"
    s4_3_3_a_200_replaces_what_is_stored: "
        < 200 | cache-control: max-age=0 | etag: \"1\"
        > GET
        < 200 | cache-control: max-age=60 | etag: \"2\"
        > GET
        = asks | body b2
        > GET
        = hit | body b2 | etag: \"2\""
    s4_3_3_a_404_replaces_what_is_stored: "
        < 200 | cache-control: max-age=0 | etag: \"1\"
        > GET
        < 404
        > GET
        = asks | 404
        < 200
        > GET
        = miss | origin if-none-match: -"
    s4_3_3_an_error_is_passed_on_and_the_answer_is_kept: "
        < 200 | cache-control: max-age=0 | etag: \"1\"
        > GET
        < 500
        > GET
        = asks | 500
        < 304 | etag: \"1\"
        > GET
        = asks | 200 | body b1"
    s4_3_4_freshens: "
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        < 304 | cache-control: max-age=60 | etag: \"1\"
        > GET
        = asks | body b1
        > GET
        = hit | body b1"
    s4_3_4_freshens_by_its_own_date: "
        < 200 | cache-control: max-age=60 | date: {now-70} | etag: \"1\"
        > GET
        < 304 | date: {now} | etag: \"1\"
        > GET
        = asks
        > GET
        = hit | age: >=0"
    s4_3_4_without_date_freshens_too: "
        < 200 | cache-control: max-age=60 | date: {now-70} | etag: \"1\"
        > GET
        < 304 | etag: \"1\"
        > GET
        > GET
        = hit"
    s4_3_4_a_new_lifetime: "
        < 200 | cache-control: max-age=0 | etag: \"1\"
        > GET
        < 304 | cache-control: max-age=60 | etag: \"1\"
        > GET
        > GET
        = hit | cache-control: max-age=60"
    s4_3_4_a_new_expires: "
        < 200 | expires: {now-1} | etag: \"1\"
        > GET
        < 304 | expires: {now+600} | etag: \"1\"
        > GET
        > GET
        = hit"
    s4_3_4_its_age_counts: "
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        < 304 | age: 65 | etag: \"1\"
        > GET
        < 304 | etag: \"1\"
        > GET
        = asks"
    s4_3_4_no_store_in_it_ends_the_storing: "
        < 200 | cache-control: max-age=0 | etag: \"1\"
        > GET
        < 304 | cache-control: no-store | etag: \"1\"
        > GET
        = body b1
        < 200
        > GET
        = miss | origin if-none-match: -"
    s3_2_fields_are_replaced: "
        < 200 | cache-control: max-age=0 | etag: \"1\" | x: old | y: old
        > GET
        < 304 | cache-control: max-age=60 | etag: \"1\" | x: new
        > GET
        = x: new | y: old
        > GET
        = hit | x: new | y: old"
    s3_2_fields_are_added: "
        < 200 | cache-control: max-age=0 | etag: \"1\"
        > GET
        < 304 | cache-control: max-age=60 | etag: \"1\" | z: new
        > GET
        > GET
        = hit | z: new"
    s3_2_all_lines_of_a_field_are_replaced: "
        < 200 | cache-control: max-age=0 | etag: \"1\" | x: 1 | x: 2
        > GET
        < 304 | cache-control: max-age=60 | etag: \"1\" | x: 3
        > GET
        > GET
        = hit | x: 3"
    s3_2_content_length_is_kept: "
        < 200 | cache-control: max-age=0 | etag: \"1\"
        > GET
        < 304 | cache-control: max-age=60 | etag: \"1\" | content-length: 2
        > GET
        > GET
        = hit | content-length: 2 | body b1"
    s3_2_content_encoding_is_kept: "
        < 200 | cache-control: max-age=0 | etag: \"1\" | content-encoding: gzip
        > GET
        < 304 | cache-control: max-age=60 | etag: \"1\" | content-encoding: br
        > GET
        > GET
        = hit | content-encoding: gzip"
    s3_2_content_type_is_kept: "
        < 200 | cache-control: max-age=0 | etag: \"1\" | content-type: text/a
        > GET
        < 304 | cache-control: max-age=60 | etag: \"1\" | content-type: text/b
        > GET
        > GET
        = hit | content-type: text/a"
    s3_2_content_range_is_kept: "
        < 200 | cache-control: max-age=0 | etag: \"1\"
        > GET
        < 304 | cache-control: max-age=60 | etag: \"1\" | content-range: bytes 0-1/9
        > GET
        > GET
        = hit | content-range: -"
    s3_2_hop_by_hop_fields_are_not_taken: "
        < 200 | cache-control: max-age=0 | etag: \"1\"
        > GET
        < 304 | cache-control: max-age=60 | etag: \"1\" | connection: a | a: 1 | keep-alive: x
        > GET
        > GET
        = hit | a: - | keep-alive: -"
    s3_2_set_cookie_is_for_the_one_who_asked: "
        < 200 | cache-control: max-age=0 | etag: \"1\"
        > GET
        < 304 | cache-control: max-age=60 | etag: \"1\" | set-cookie: a=1
        > GET
        = set-cookie: a=1
        > GET
        = hit | set-cookie: -"
    s3_2_location_and_others_are_replaced: "
        < 301 | cache-control: max-age=0 | etag: \"1\" | location: /old
        > GET
        < 304 | cache-control: max-age=60 | etag: \"1\" | location: /new
        > GET
        = 301
        > GET
        = hit | 301 | location: /new"
    s4_3_4_a_304_with_another_strong_tag_updates_nothing: "
        < 200 | cache-control: max-age=0 | etag: \"1\" | x: old
        > GET
        < 304 | cache-control: max-age=60 | etag: \"2\" | x: new
        > GET
        = body b1 | x: old
        < 200
        > GET
        = asks"
    s4_3_4_a_304_with_the_same_weak_tag_updates: "
        < 200 | cache-control: max-age=0 | etag: W/\"1\" | x: old
        > GET
        < 304 | cache-control: max-age=60 | etag: W/\"1\" | x: new
        > GET
        > GET
        = hit | x: new"
    s4_3_4_the_selected_variant_is_updated: "
        < 200 | cache-control: max-age=0 | etag: \"a\" | vary: foo
        > GET | foo: a
        < 200 | cache-control: max-age=60 | etag: \"b\" | vary: foo
        > GET | foo: b
        < 304 | cache-control: max-age=60 | etag: \"a\" | x: new | vary: foo
        > GET | foo: a
        = asks | origin if-none-match: \"a\" | body b1
        > GET | foo: a
        = hit | body b1 | x: new
        > GET | foo: b
        = hit | body b2 | x: -"
    s4_3_5_a_head_freshens: "
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        < 200 | cache-control: max-age=60 | etag: \"1\" | content-length: 2 | x: new | no-body:
        > HEAD
        = miss
        > GET
        = hit | body b1 | x: new"
    s4_3_5_a_head_with_another_tag_invalidates: "
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        < 200 | cache-control: max-age=60 | etag: \"2\" | content-length: 2 | no-body:
        > HEAD
        < 200
        > GET
        = miss | origin if-none-match: -"
    s4_3_5_a_head_with_another_length_invalidates: "
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        < 200 | cache-control: max-age=60 | content-length: 9 | no-body:
        > HEAD
        < 200
        > GET
        = miss | origin if-none-match: -"
    s4_3_5_a_head_with_another_date_invalidates: "
        < 200 | cache-control: max-age=60 | age: 70 | last-modified: Sun, 06 Nov 1994 08:49:37 GMT
        > GET
        < 200 | last-modified: Sun, 06 Nov 1994 08:49:38 GMT | content-length: 2 | no-body:
        > HEAD
        < 200
        > GET
        = miss | origin if-modified-since: -"
    s4_3_5_an_error_to_head_changes_nothing: "
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        < 500 | content-length: 2 | no-body:
        > HEAD
        < 304 | etag: \"1\"
        > GET
        = asks | body b1"
}

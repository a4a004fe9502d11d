//! RFC 9111 §3.5: answers to requests with `Authorization`.

use super::rows;

rows! {
    s3_5_is_not_stored: "
        < 200 | cache-control: max-age=60
        > GET | authorization: Basic YTpi
        < 200
        > GET
        = miss | body b2"
    s3_5_is_not_stored_for_the_same_caller_either: "
        < 200 | cache-control: max-age=60
        > GET | authorization: Basic YTpi
        < 200
        > GET | authorization: Basic YTpi
        = miss | body b2"
    s3_5_public_is_stored_and_reused: "
        < 200 | cache-control: public, max-age=60
        > GET | authorization: Basic YTpi
        > GET | authorization: Basic eDp5
        = hit | body b1"
    s3_5_s_maxage_is_stored_and_reused: "
        < 200 | cache-control: s-maxage=60
        > GET | authorization: Basic YTpi
        > GET | authorization: Basic eDp5
        = hit"
    s3_5_must_revalidate_is_stored_and_reused: "
        < 200 | cache-control: must-revalidate, max-age=60
        > GET | authorization: Basic YTpi
        > GET | authorization: Basic eDp5
        = hit"
    s3_5_what_is_shared_serves_those_without: "
        < 200 | cache-control: public, max-age=60
        > GET | authorization: Basic YTpi
        > GET
        = hit"
    s3_5_an_anonymous_answer_is_not_for_those_with: "
        < 200 | cache-control: max-age=60
        > GET
        < 200
        > GET | authorization: Basic YTpi
        = miss | body b2"
    s3_5_proxy_revalidate_is_no_leave: "
        < 200 | cache-control: proxy-revalidate, max-age=60
        > GET | authorization: Basic YTpi
        < 200
        > GET
        = miss"
    s3_5_expires_is_no_leave: "
        < 200 | expires: {now+600}
        > GET | authorization: Basic YTpi
        < 200
        > GET
        = miss"
    s3_5_a_guess_is_no_leave: "
        keys: heuristic: 10%
        < 200 | last-modified: {now-86400}
        > GET | authorization: Basic YTpi
        < 200
        > GET
        = miss"
    s3_5_a_targeted_field_gives_leave: "
        < 200 | cdn-cache-control: public, max-age=60
        > GET | authorization: Basic YTpi
        > GET | authorization: Basic eDp5
        = hit"
    s3_5_no_leave_in_place_of_429: "
        alone
        keys: stale_if_shed: 1h; class: bulk, admission: { rps: { limit: 0.01, burst: 1 } }
        < 200 | cache-control: max-age=60 | age: 70 | etag: \"1\"
        > GET
        > GET | authorization: Basic YTpi
        = hit | 429"
}

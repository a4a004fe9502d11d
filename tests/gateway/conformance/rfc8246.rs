//! RFC 8246: `immutable`.

use super::rows;

rows! {
    s2_a_reload_of_what_is_fresh_is_a_hit: "
        < 200 | cache-control: max-age=600, immutable
        > GET
        > GET | cache-control: max-age=0
        = hit"
    s2_no_cache_asks_all_the_same: "
        < 200 | cache-control: max-age=600, immutable | etag: \"1\"
        > GET
        < 304 | etag: \"1\"
        > GET | cache-control: no-cache
        = asks"
    s2_holds_only_while_it_is_fresh: "
        < 200 | cache-control: max-age=60, immutable | age: 70 | etag: \"1\"
        > GET
        < 304 | etag: \"1\"
        > GET
        = asks"
    s2_gives_no_freshness: "
        < 200 | cache-control: immutable
        > GET
        < 200
        > GET
        = miss"
    s2_an_argument_means_nothing: "
        < 200 | cache-control: max-age=600, immutable=x
        > GET
        > GET | cache-control: max-age=0
        = hit"
    s2_a_targeted_field_may_say_it: "
        < 200 | cdn-cache-control: max-age=600, immutable
        > GET
        > GET | cache-control: max-age=0
        = hit"
}

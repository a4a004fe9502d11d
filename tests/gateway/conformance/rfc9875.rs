//! RFC 9875: cache groups. Groups belong to an origin, so each row has a host of its own.

use super::rows;

rows! {
    s3_a_group_is_invalidated: "
        < 200 | cache-control: max-age=60 | cache-groups: \"a\"
        > GET /1 | host: one.test
        < 200 | cache-group-invalidation: \"a\"
        > POST /2 | host: one.test
        < 200
        > GET /1 | host: one.test
        = miss"
    s3_another_group_stays: "
        < 200 | cache-control: max-age=60 | cache-groups: \"a\"
        > GET /1 | host: two.test
        < 200 | cache-group-invalidation: \"b\"
        > POST /2 | host: two.test
        > GET /1 | host: two.test
        = hit"
    s3_one_of_several: "
        < 200 | cache-control: max-age=60 | cache-groups: \"a\", \"b\", \"c\"
        > GET /1 | host: three.test
        < 200 | cache-group-invalidation: \"x\", \"b\"
        > POST /2 | host: three.test
        < 200
        > GET /1 | host: three.test
        = miss"
    s2_1_another_origin_stays: "
        < 200 | cache-control: max-age=60 | cache-groups: \"a\"
        > GET /1 | host: four.test
        < 200 | cache-group-invalidation: \"a\"
        > POST /2 | host: five.test
        > GET /1 | host: four.test
        = hit"
    s2_1_groups_have_a_case: "
        < 200 | cache-control: max-age=60 | cache-groups: \"a\"
        > GET /1 | host: six.test
        < 200 | cache-group-invalidation: \"A\"
        > POST /2 | host: six.test
        > GET /1 | host: six.test
        = hit"
    s3_not_by_a_safe_method: "
        < 200 | cache-control: max-age=60 | cache-groups: \"a\"
        > GET /1 | host: seven.test
        < 200 | cache-group-invalidation: \"a\"
        > GET /2 | host: seven.test
        > GET /1 | host: seven.test
        = hit"
    s3_not_by_an_error: "
        < 200 | cache-control: max-age=60 | cache-groups: \"a\"
        > GET /1 | host: eight.test
        < 500 | cache-group-invalidation: \"a\"
        > POST /2 | host: eight.test
        > GET /1 | host: eight.test
        = hit"
    s3_a_token_is_no_group: "
        < 200 | cache-control: max-age=60 | cache-groups: \"a\"
        > GET /1 | host: nine.test
        < 200 | cache-group-invalidation: a
        > POST /2 | host: nine.test
        > GET /1 | host: nine.test
        = hit"
    s3_a_parse_error_is_ignored: "
        < 200 | cache-control: max-age=60 | cache-groups: \"a\"
        > GET /1 | host: ten.test
        < 200 | cache-group-invalidation: \"a\", &
        > POST /2 | host: ten.test
        > GET /1 | host: ten.test
        = hit"
    s3_parameters_are_ignored: "
        < 200 | cache-control: max-age=60 | cache-groups: \"a\";x=1
        > GET /1 | host: eleven.test
        < 200 | cache-group-invalidation: \"a\";y
        > POST /2 | host: eleven.test
        < 200
        > GET /1 | host: eleven.test
        = miss"
    s3_what_is_stored_afterwards_stays: "
        < 200 | cache-control: max-age=60 | cache-groups: \"a\"
        > GET /1 | host: twelve.test
        < 200 | cache-group-invalidation: \"a\"
        > POST /2 | host: twelve.test
        < 200 | cache-control: max-age=60 | cache-groups: \"a\"
        > GET /1 | host: twelve.test
        > GET /1 | host: twelve.test
        = hit | body b3"
    s2_a_304_may_change_the_groups: "
        < 200 | cache-control: max-age=0 | cache-groups: \"a\" | etag: \"1\"
        > GET /1 | host: thirteen.test
        < 304 | cache-control: max-age=60 | cache-groups: \"b\" | etag: \"1\"
        > GET /1 | host: thirteen.test
        < 200 | cache-group-invalidation: \"b\"
        > POST /2 | host: thirteen.test
        < 200
        > GET /1 | host: thirteen.test
        = miss"
}

//! What must never be stored or shared, whoever asks (web cache poisoning and deception).

use super::rows;

/// A request with a field that the key does not hold must not decide what others get.
macro_rules! overrides {
    ($($name:ident: $field:literal)*) => {
        rows! {
            $($name: (concat!(
                "< 200 | cache-control: max-age=60\n> GET | ", $field, ": DELETE\n= miss | origin ",
                $field, ": -"
            )))*
        }
    };
}

overrides! {
    a_method_override_does_not_reach_the_origin: "x-http-method-override"
    a_method_in_another_field_does_not_reach_the_origin: "x-http-method"
    a_third_spelling_does_not_reach_the_origin: "x-method-override"
}

rows! {
    an_error_about_the_head_is_not_stored: "
        < 431 | cache-control: max-age=60
        > GET | x-large: xxxx
        < 200 | cache-control: max-age=60
        > GET
        = miss | 200"
    a_bad_request_without_freshness_is_not_stored: "
        keys: fresh_for: 1h
        < 400
        > GET
        < 200
        > GET
        = miss | 200"
    an_extension_does_not_make_a_page_cacheable: "
        < 200 | cache-control: private | body: secret
        > GET /account/x.css
        < 200
        > GET /account/x.css
        = miss"
    a_path_is_keyed_as_it_is_forwarded: "
        < 200 | cache-control: max-age=60
        > GET /a%2fb
        < 200
        > GET /a/b
        = miss"
    a_semicolon_is_part_of_the_path: "
        < 200 | cache-control: max-age=60
        > GET /a;x
        < 200
        > GET /a
        = miss"
    an_empty_query_is_another_key: "
        < 200 | cache-control: max-age=60
        > GET ?
        < 200
        > GET
        = miss"
    a_duplicate_parameter_is_another_key: "
        < 200 | cache-control: max-age=60
        > GET ?a=1
        < 200
        > GET ?a=1&a=2
        = miss"
    a_host_that_was_forwarded_by_the_client_does_not_reach_the_origin: "
        < 200 | cache-control: max-age=60
        > GET | host: h.test | x-forwarded-host: evil.test
        = miss | origin x-forwarded-host: h.test"
    a_502_of_the_gateway_is_not_stored: "
        alone
        < reset
        < reset
        > GET
        = 502
        < 200
        > GET
        = 200"
}

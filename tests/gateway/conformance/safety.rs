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
    another_url_does_not_reach_the_origin: "x-original-url"
    a_rewritten_url_does_not_reach_the_origin: "x-rewrite-url"
    another_host_does_not_reach_the_origin: "x-host"
    an_overriding_host_does_not_reach_the_origin: "x-http-host-override"
    an_original_host_does_not_reach_the_origin: "x-original-host"
    a_forwarded_server_does_not_reach_the_origin: "x-forwarded-server"
    a_forwarded_scheme_does_not_reach_the_origin: "x-forwarded-scheme"
    a_forwarded_prefix_does_not_reach_the_origin: "x-forwarded-prefix"
    a_forwarded_port_does_not_reach_the_origin: "x-forwarded-port"
    a_forwarded_path_does_not_reach_the_origin: "x-forwarded-path"
    a_forwarded_encryption_does_not_reach_the_origin: "x-forwarded-ssl"
    a_forwarded_element_does_not_reach_the_origin: "forwarded"
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
    a_field_of_the_key_reaches_the_origin: "
        keys: key: { headers: [x-original-host] }
        < 200 | cache-control: max-age=60
        > GET | x-original-host: a.test
        = miss | origin x-original-host: a.test
        < 200
        > GET | x-original-host: b.test
        = miss"
    a_field_of_the_connection_is_not_stored: "
        < 200 | cache-control: max-age=60 | connection: x-own | x-own: secret | keep-alive: timeout=9
        > GET
        = x-own: -
        > GET
        = hit | x-own: - | keep-alive: -"
    a_field_that_a_client_names_hop_by_hop_takes_no_other_away: "
        < 200 | cache-control: max-age=60
        > GET | connection: close, cookie | cookie: a=1
        > GET
        = hit | 200"
    an_answer_with_a_cookie_is_not_shared: "
        < 200 | cache-control: max-age=60 | set-cookie: session=1
        > GET
        < 200
        > GET
        = miss | set-cookie: -"
    an_answer_to_somebody_is_not_for_anybody: "
        < 200 | cache-control: max-age=60 | body: theirs
        > GET /me | authorization: Bearer a
        < 200 | body: nobody's
        > GET /me
        = miss | body nobody's"
    an_answer_to_nobody_is_not_for_somebody: "
        < 200 | cache-control: max-age=60 | body: nobody's
        > GET /me
        < 200 | body: theirs
        > GET /me | authorization: Bearer a
        = miss | body theirs"
    a_get_with_a_body_is_not_stored: "
        < 200 | cache-control: max-age=60 | body: poison
        > GET | body: param=1
        < 200
        > GET
        = miss | body b2"
    a_get_with_a_body_is_not_served: "
        < 200 | cache-control: max-age=60
        > GET
        < 200
        > GET | body: param=1
        = miss"
    a_host_has_no_case_and_no_default_port: "
        < 200 | cache-control: max-age=60
        > GET | host: Safe.test:80
        > GET | host: safe.TEST
        = hit"
    another_port_is_another_host: "
        < 200 | cache-control: max-age=60
        > GET | host: safe.test:81
        < 200
        > GET | host: safe.test
        = miss"
    the_order_of_a_query_counts_unless_the_policy_sorts: "
        < 200 | cache-control: max-age=60
        > GET ?a=1&b=2
        < 200
        > GET ?b=2&a=1
        = miss"
    a_sorted_query_keeps_the_order_of_one_name: "
        keys: key: { query: { sort: true } }
        < 200 | cache-control: max-age=60
        > GET ?b=1&a=2&a=1
        > GET ?a=2&a=1&b=1
        = hit
        < 200
        > GET ?a=1&a=2&b=1
        = miss"
    a_parameter_outside_the_key_does_not_reach_the_origin: "
        keys: key: { query: { drop: [utm_source, utm_content] } }
        < 200 | cache-control: max-age=60
        > GET ?b=2&utm_source='evil'&a=%31&&utm_content=1;callback=evil&utm_source2=3&a=0
        = miss | target ?b=2&a=%31&&utm_source2=3&a=0
        > GET ?b=2&a=%31&&utm_source2=3&a=0&utm_content
        = hit"
    nothing_but_parameters_outside_the_key_leave_no_query: "
        keys: key: { query: { drop: [utm_source] } }
        < 200 | cache-control: max-age=60
        > GET /x?utm_source=evil&utm_source=%0d
        = miss | target /x
        > GET /x
        = hit"
    a_parameter_by_another_spelling_is_part_of_the_key: "
        keys: key: { query: { drop: [utm_source] } }
        < 200 | cache-control: max-age=60
        > GET ?utm%5Fsource=evil&UTM_source=evil
        = miss | target ?utm%5Fsource=evil&UTM_source=evil
        < 200
        > GET
        = miss"
    a_call_that_asks_for_the_head_leaves_parameters_outside_the_key_away_too: "
        keys: key: { query: { drop: [utm_source] } }
        < 200 | cache-control: max-age=60 | no-body:
        > HEAD ?a=1&utm_source=evil
        = target ?a=1"
    a_call_whose_answer_is_not_stored_is_asked_as_it_came: "
        keys: key: { query: { drop: [utm_source] } }
        < 200
        > POST ?a=1&utm_source=x
        = target ?a=1&utm_source=x
        < 200
        > GET ?a=1&utm_source=x | body: q
        = target ?a=1&utm_source=x"
    a_sorted_query_is_asked_for_in_its_own_order: "
        keys: key: { query: { sort: true, drop: [x] } }
        < 200 | cache-control: max-age=60
        > GET ?b=1&x=1&a=2
        = target ?b=1&a=2"
    an_encoded_slash_is_another_path: "
        < 200 | cache-control: max-age=60
        > GET /account%2Fx.css
        < 200
        > GET /account/x.css
        = miss"
    an_encoded_question_mark_is_no_query: "
        < 200 | cache-control: max-age=60
        > GET /a%3Fb=1
        < 200
        > GET /a?b=1
        = miss"
    an_encoded_end_of_line_is_part_of_the_path: "
        < 200 | cache-control: max-age=60
        > GET /a%0d%0ax-poison:1
        < 200
        > GET /a
        = miss"
    an_error_of_the_origin_is_not_stored_without_its_word: "
        keys: fresh_for: 1h
        < 500
        > GET
        < 200
        > GET
        = miss | 200"
    a_redirect_is_keyed_with_the_host_that_asked: "
        < 301 | cache-control: max-age=60 | location: http://evil.test/
        > GET | host: evil.test
        < 200
        > GET | host: good.test
        = miss | 200"
    a_host_in_two_spellings_of_the_target_is_refused_or_keyed: "
        < 200 | cache-control: max-age=60
        > GET | host: evil.test | x-forwarded-host: good.test
        < 200
        > GET | host: good.test
        = miss"
}

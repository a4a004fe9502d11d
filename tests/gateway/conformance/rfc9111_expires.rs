//! RFC 9111 §5.3 `Expires`, and the dates of RFC 9110 §5.6.7.

use super::twice;

twice! {
    s5_3_in_the_future: "date: {now} | expires: {now+600}" => hit
    s5_3_in_the_past: "date: {now} | expires: {now-1}" => miss
    s5_3_the_same_as_date: "date: {now} | expires: {now}" => miss
    s5_3_counts_from_date_and_not_from_the_clock: "date: {now+700} | expires: {now+600}" => miss
    s5_3_counts_from_a_date_in_the_past: "date: {now-100} | expires: {now+60}" => hit
    s5_3_within_an_old_answer: "date: {now-100} | expires: {now-50}" => miss
    s5_3_counts_age: "date: {now} | expires: {now+60} | age: 61" => miss
    s5_3_without_date: "expires: {now+600}" => hit
    s5_3_zero_is_past: "date: {now} | expires: 0" => miss
    s5_3_minus_one_is_past: "date: {now} | expires: -1" => miss
    s5_3_empty_is_past: "date: {now} | expires:" => miss
    s5_3_words_are_past: "date: {now} | expires: next week" => miss
    s5_3_two_lines_are_past: "expires: {now+600} | expires: {now+600}" => miss
    s5_3_an_invalid_date_is_stale_not_absent: "expires: 0 | etag: \"1\"" => asks
    s5_6_7_imf_fixdate: "expires: Thu, 18 Aug 2050 02:01:18 GMT" => hit
    s5_6_7_rfc_850: "expires: Thursday, 18-Aug-50 02:01:18 GMT" => hit
    s5_6_7_asctime: "expires: Thu Aug 18 02:01:18 2050" => hit
    s5_6_7_asctime_with_a_space_before_the_day: "expires: Mon Aug  8 02:01:18 2050" => hit
    s5_6_7_a_two_digit_year_far_ahead_is_past: "expires: Thursday, 18-Aug-95 02:01:18 GMT" => miss
    s5_6_7_after_2038: "expires: Tue, 19 Jan 2038 14:14:08 GMT" => hit
    s5_6_7_after_2286: "expires: Sun, 21 Nov 2286 04:46:39 GMT" => hit
    s4_2_weekday_in_another_case: "expires: THU, 18 Aug 2050 02:01:18 GMT" => hit
    s4_2_month_in_another_case: "expires: Thu, 18 AUG 2050 02:01:18 GMT" => hit
    s4_2_zone_in_another_case: "expires: Thu, 18 Aug 2050 02:01:18 gMT" => hit
    s4_2_another_zone_is_invalid: "expires: Thu, 18 Aug 2050 02:01:18 AEST" => miss
    s4_2_an_offset_is_invalid: "expires: Thu, 18 Aug 2050 02:01:18 +0000" => miss
    s4_2_no_zone_is_invalid: "expires: Thu, 18 Aug 2050 02:01:18" => miss
    s5_6_7_a_two_digit_year_in_fixdate_is_invalid: "expires: Thu, 18 Aug 50 02:01:18 GMT" => miss
    s5_6_7_a_missing_comma_is_invalid: "expires: Thu 18 Aug 2050 02:01:18 GMT" => miss
    s5_6_7_more_spaces_are_invalid: "expires: Thu, 18  Aug  2050 02:01:18 GMT" => miss
    s5_6_7_dashes_are_invalid: "expires: Thu, 18-Aug-2050 02:01:18 GMT" => miss
    s5_6_7_periods_are_invalid: "expires: Thu, 18 Aug 2050 02.01.18 GMT" => miss
    s5_6_7_a_one_digit_hour_is_invalid: "expires: Thu, 18 Aug 2050 2:01:18 GMT" => miss
    s5_6_7_a_one_digit_day_is_invalid: "expires: Mon, 8 Aug 2050 02:01:18 GMT" => miss
    s5_6_7_the_31st_of_february_is_invalid: "expires: Wed, 31 Feb 2050 02:01:18 GMT" => miss
    s5_6_7_iso_8601_is_invalid: "expires: 2050-08-18T02:01:18Z" => miss
    s5_6_7_seconds_since_1970_are_invalid: "expires: 2544400878" => miss
}

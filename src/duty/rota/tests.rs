use jiff::civil::{date, datetime, time};

use super::*;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn crews(people: &[&str]) -> Vec<Vec<String>> {
    people.iter().map(|&person| person.split('+').map(str::to_owned).collect()).collect()
}

/// An instant, written in UTC or with an offset.
fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn utc(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap().to_string()
}

/// Weekly, from Monday 2026-01-05 09:00 in Shanghai.
fn weekly() -> Rota {
    Rota::new(zone("Asia/Shanghai"), time(9, 0, 0, 0), 7, date(2026, 1, 5), crews(&["zhangsan", "lisi", "wangwu"]))
}

/// Daily at this hour in this zone, from this day.
fn daily(name: &str, hour: i8, minute: i8, start: Date) -> Rota {
    Rota::new(zone(name), time(hour, minute, 0, 0), 1, start, crews(&["zhangsan", "lisi"]))
}

fn substitute(from: DateTime, to: DateTime, person: &str, instead_of: Option<&str>) -> Substitute {
    Substitute { from, to, person: person.to_owned(), instead_of: instead_of.map(str::to_owned) }
}

/// Checks a rota against a table: an instant, the people then, the reason, and until when.
#[track_caller]
fn holds_to(rota: &Rota, table: &[(&str, &str, Why, &str)]) {
    for &(instant, people, why, until) in table {
        let on_call = rota.on_call(at(instant));
        assert_eq!(
            (on_call.people.join("+").as_str(), on_call.why, utc(on_call.until).as_str()),
            (people, why, utc(at(until)).as_str()),
            "{instant}"
        );
    }
}

#[test]
fn a_shift_changes_hands_in_the_minute_of_handover_and_the_last_one_hands_to_the_first() {
    holds_to(
        &weekly(),
        &[
            ("2026-01-12T08:59:59.999+08:00", "zhangsan", Why::Shift, "2026-01-12T09:00:00+08:00"),
            ("2026-01-12T09:00:00+08:00", "lisi", Why::Shift, "2026-01-19T09:00:00+08:00"),
            ("2026-01-12T09:00:00.001+08:00", "lisi", Why::Shift, "2026-01-19T09:00:00+08:00"),
            ("2026-01-25T23:00:00+08:00", "wangwu", Why::Shift, "2026-01-26T09:00:00+08:00"),
            ("2026-01-26T09:00:00+08:00", "zhangsan", Why::Shift, "2026-02-02T09:00:00+08:00"),
            // The end of a year is a day like any other.
            ("2026-12-31T23:59:59+08:00", "zhangsan", Why::Shift, "2027-01-04T09:00:00+08:00"),
            ("2027-01-01T00:00:00+08:00", "zhangsan", Why::Shift, "2027-01-04T09:00:00+08:00"),
            ("2027-01-04T09:00:00+08:00", "lisi", Why::Shift, "2027-01-11T09:00:00+08:00"),
        ],
    );
    let fortnight = Rota { days: 14, ..weekly() };
    holds_to(&fortnight, &[("2026-01-12T09:00:00+08:00", "zhangsan", Why::Shift, "2026-01-19T09:00:00+08:00")]);
}

#[test]
fn the_first_shift_covers_the_time_before_it() {
    holds_to(
        &weekly(),
        &[
            ("2026-01-05T08:59:00+08:00", "zhangsan", Why::Shift, "2026-01-12T09:00:00+08:00"),
            ("2020-01-01T00:00:00Z", "zhangsan", Why::Shift, "2026-01-12T09:00:00+08:00"),
        ],
    );
}

#[test]
fn handover_stays_on_the_wall_clock_across_daylight_saving() {
    // Berlin: forward on 2026-03-29 at 02:00, back on 2026-10-25 at 03:00.
    holds_to(
        &daily("Europe/Berlin", 9, 0, date(2026, 3, 27)),
        &[
            ("2026-03-28T07:59:59Z", "zhangsan", Why::Shift, "2026-03-28T08:00:00Z"),
            ("2026-03-28T08:00:00Z", "lisi", Why::Shift, "2026-03-29T07:00:00Z"),
            ("2026-03-29T06:59:59Z", "lisi", Why::Shift, "2026-03-29T07:00:00Z"),
            ("2026-03-29T07:00:00Z", "zhangsan", Why::Shift, "2026-03-30T07:00:00Z"),
            ("2026-10-25T07:59:59Z", "lisi", Why::Shift, "2026-10-25T08:00:00Z"),
            ("2026-10-25T08:00:00Z", "zhangsan", Why::Shift, "2026-10-26T08:00:00Z"),
        ],
    );
    // 02:30 is skipped on one day (the handover is an hour later) and comes twice on the other (the first counts).
    holds_to(
        &daily("Europe/Berlin", 2, 30, date(2026, 3, 28)),
        &[
            ("2026-03-29T01:29:59Z", "zhangsan", Why::Shift, "2026-03-29T01:30:00Z"),
            ("2026-03-29T01:30:00Z", "lisi", Why::Shift, "2026-03-30T00:30:00Z"),
            ("2026-10-25T00:29:59Z", "zhangsan", Why::Shift, "2026-10-25T00:30:00Z"),
            ("2026-10-25T00:30:00Z", "lisi", Why::Shift, "2026-10-26T01:30:00Z"),
            ("2026-10-25T01:30:00Z", "lisi", Why::Shift, "2026-10-26T01:30:00Z"),
        ],
    );
}

#[test]
fn a_rota_that_moves_to_another_zone_changes_hands_by_the_clocks_there() {
    let moved = Rota { timezone: zone("America/New_York"), ..weekly() };
    let instant = "2026-01-12T09:00:00+08:00";
    holds_to(&weekly(), &[(instant, "lisi", Why::Shift, "2026-01-19T09:00:00+08:00")]);
    holds_to(&moved, &[(instant, "zhangsan", Why::Shift, "2026-01-12T09:00:00-05:00")]);
}

#[test]
fn a_substitute_comes_and_goes_on_the_minute_and_of_two_the_later_in_the_file_counts() {
    let day = |day, hour| datetime(2026, 1, day, hour, 0, 0, 0);
    let rota = Rota {
        substitutes: vec![
            substitute(day(6, 18), day(8, 9), "lisi", Some("ZhangSan")),
            substitute(day(7, 12), day(7, 18), "zhaoliu", Some("lisi")),
            substitute(day(7, 20), day(7, 22), "sunqi", None),
            // Not on duty then: no effect.
            substitute(day(9, 0), day(10, 0), "sunqi", Some("wangwu")),
        ],
        ..weekly()
    };
    holds_to(
        &rota,
        &[
            ("2026-01-06T17:59:59+08:00", "zhangsan", Why::Shift, "2026-01-06T18:00:00+08:00"),
            ("2026-01-06T18:00:00+08:00", "lisi", Why::Substitute, "2026-01-07T12:00:00+08:00"),
            ("2026-01-07T12:00:00+08:00", "zhaoliu", Why::Substitute, "2026-01-07T18:00:00+08:00"),
            ("2026-01-07T18:00:00+08:00", "lisi", Why::Substitute, "2026-01-07T20:00:00+08:00"),
            ("2026-01-07T21:00:00+08:00", "sunqi", Why::Substitute, "2026-01-07T22:00:00+08:00"),
            ("2026-01-08T08:59:59+08:00", "lisi", Why::Substitute, "2026-01-08T09:00:00+08:00"),
            ("2026-01-08T09:00:00+08:00", "zhangsan", Why::Shift, "2026-01-12T09:00:00+08:00"),
        ],
    );
}

#[test]
fn a_substitute_across_a_handover_replaces_only_whom_they_stand_in_for() {
    let rota = Rota {
        people: crews(&["zhangsan+lisi", "wangwu"]),
        backup: crews(&["zhaoliu"]),
        substitutes: vec![
            substitute(datetime(2026, 1, 11, 0, 0, 0, 0), datetime(2026, 1, 13, 0, 0, 0, 0), "sunqi", Some("lisi")),
            substitute(datetime(2026, 1, 11, 0, 0, 0, 0), datetime(2026, 1, 13, 0, 0, 0, 0), "wangwu", Some("zhaoliu")),
        ],
        ..weekly()
    };
    holds_to(
        &rota,
        &[
            ("2026-01-11T12:00:00+08:00", "zhangsan+sunqi", Why::Substitute, "2026-01-12T09:00:00+08:00"),
            ("2026-01-12T10:00:00+08:00", "wangwu", Why::Shift, "2026-01-13T00:00:00+08:00"),
        ],
    );
    assert_eq!(rota.on_call(at("2026-01-12T10:00:00+08:00")).backup, ["wangwu"]);
    assert_eq!(rota.on_call(at("2026-01-13T10:00:00+08:00")).backup, ["zhaoliu"]);
}

#[test]
fn a_holiday_has_its_own_order_from_handover_to_handover_and_shifts_go_on_behind_it() {
    let rota = Rota {
        holidays: vec![
            Holiday {
                from: date(2026, 10, 1),
                to: date(2026, 10, 7),
                people: crews(&["zhaoliu", "sunqi"]),
                name: "国庆".to_owned(),
            },
            Holiday { from: date(2026, 10, 3), to: date(2026, 10, 3), people: crews(&["lisi"]), name: String::new() },
        ],
        substitutes: vec![substitute(
            datetime(2026, 10, 5, 9, 0, 0, 0),
            datetime(2026, 10, 5, 21, 0, 0, 0),
            "wangwu",
            None,
        )],
        ..weekly()
    };
    // 38 weeks after the start: lisi has the last week of September, wangwu the first of October.
    holds_to(
        &rota,
        &[
            ("2026-10-01T08:59:59+08:00", "wangwu", Why::Shift, "2026-10-01T09:00:00+08:00"),
            ("2026-10-01T09:00:00+08:00", "zhaoliu", Why::Holiday, "2026-10-02T09:00:00+08:00"),
            ("2026-10-02T09:00:00+08:00", "sunqi", Why::Holiday, "2026-10-03T09:00:00+08:00"),
            ("2026-10-03T12:00:00+08:00", "lisi", Why::Holiday, "2026-10-04T09:00:00+08:00"),
            ("2026-10-04T12:00:00+08:00", "sunqi", Why::Holiday, "2026-10-05T09:00:00+08:00"),
            ("2026-10-05T12:00:00+08:00", "wangwu", Why::Substitute, "2026-10-05T21:00:00+08:00"),
            ("2026-10-07T23:00:00+08:00", "zhaoliu", Why::Holiday, "2026-10-08T09:00:00+08:00"),
            ("2026-10-08T09:00:00+08:00", "zhangsan", Why::Shift, "2026-10-12T09:00:00+08:00"),
        ],
    );
}

#[test]
fn a_schedule_has_a_row_for_each_change_and_no_row_for_none() {
    let rota = Rota {
        substitutes: vec![substitute(
            datetime(2026, 1, 6, 18, 0, 0, 0),
            datetime(2026, 1, 7, 9, 0, 0, 0),
            "lisi",
            None,
        )],
        ..weekly()
    };
    let rows = rota.schedule(at("2026-01-05T10:00:00+08:00"), at("2026-01-20T00:00:00+08:00"));
    let rows: Vec<(String, String)> = rows.iter().map(|(from, row)| (utc(*from), row.people.join("+"))).collect();
    let expected = [
        ("2026-01-05T02:00:00Z", "zhangsan"),
        ("2026-01-06T10:00:00Z", "lisi"),
        ("2026-01-07T01:00:00Z", "zhangsan"),
        ("2026-01-12T01:00:00Z", "lisi"),
        ("2026-01-19T01:00:00Z", "wangwu"),
    ];
    assert_eq!(rows, expected.map(|(from, people)| (from.to_owned(), people.to_owned())));
    let alone = Rota { people: crews(&["zhangsan"]), days: 1, ..weekly() };
    assert_eq!(alone.schedule(at("2026-01-05T10:00:00+08:00"), at("2026-03-01T00:00:00+08:00")).len(), 1);
}

#[test]
fn the_ends_of_time_are_no_trouble() {
    for instant in [i64::MIN, -1, 0, 253_402_207_200_000, i64::MAX] {
        assert_eq!(weekly().on_call(Timestamp(instant)).people.len(), 1, "{instant}");
        assert!(weekly().schedule(Timestamp(instant), Timestamp(i64::MAX)).len() <= MOST_ROWS);
    }
}

#[test]
fn all_people_of_a_rota_are_listed_once() {
    let rota = Rota {
        backup: crews(&["Lisi", "zhaoliu"]),
        substitutes: vec![substitute(
            datetime(2026, 1, 6, 18, 0, 0, 0),
            datetime(2026, 1, 7, 9, 0, 0, 0),
            "sunqi",
            None,
        )],
        ..weekly()
    };
    assert_eq!(rota.everybody(), ["zhangsan", "lisi", "wangwu", "zhaoliu", "sunqi"]);
}

use super::*;

const LEAST: &str = "name = 'app'\nmetadata_url = 'https://x/m'\n\
    targets_url = 'https://x/t/'\nexecutable = 'app'\n";

#[test]
fn what_is_not_set_has_a_default_and_unknown_keys_are_ignored() {
    let settings = Settings::parse(&format!("\u{feff}{LEAST}from_the_future = 1\n")).unwrap();
    assert_eq!(settings.mode, Mode::BeforeLaunch);
    assert_eq!(settings.channel, Channel::Final);
    assert_eq!(settings.deadline(), Duration::from_secs(3));
    assert_eq!(settings.log_level, LogLevel::Info);
    assert!(settings.wait(false) < settings.wait(true));
    let settings = Settings::parse(&format!("{LEAST}wait = 5\nlog_level = 'debug'\n")).unwrap();
    assert_eq!(settings.wait(true), Duration::from_secs(5));
    assert_eq!(settings.wait(false), Duration::from_secs(5));
    assert_eq!(settings.log_level, LogLevel::parse(" Debug").unwrap());
}

#[test]
fn credentials_become_a_header_for_their_origin() {
    let settings = |rest: &str| Settings::parse(&format!("{LEAST}[[authorization]]\n{rest}"));
    let basic = settings("origin = 'https://a'\nuser = 'me'\npassword = 'secret'\n").unwrap();
    let expected = ("https://a".to_owned(), "Basic bWU6c2VjcmV0".to_owned());
    assert_eq!(basic.authorization(), [expected]);
    assert!(!format!("{basic:?}").contains("secret"));
    let bearer = settings("origin = 'https://a:8/'\nbearer = 'token'\n").unwrap();
    assert_eq!(bearer.authorization()[0].1, "Bearer token");
    let nowhere = settings("origin = 'https://a'\nenv = 'NO_SUCH_VARIABLE'\n").unwrap();
    assert_eq!(nowhere.authorization(), []);
    for bad in [
        "a",
        "https://",
        "https://a/path",
        "https://a?b",
        "ftp://a",
        "https://me:pw@a",
    ] {
        assert!(
            settings(&format!("origin = '{bad}'\nbearer = 'x'\n")).is_err(),
            "{bad}"
        );
    }
}

/// A password in the settings is shown by no message, wherever it stands.
#[test]
fn no_message_has_a_password() {
    let url = "https://me:SECRET@x/m";
    let in_place_of = |from: &str, to: &str| {
        assert!(LEAST.contains(from));
        LEAST.replace(from, to)
    };
    let authorization =
        |rest: &str| format!("{LEAST}[[authorization]]\norigin = 'https://x'\n{rest}\n");
    for text in [
        in_place_of("https://x/m", url),
        in_place_of("https://x/t/", url),
        in_place_of("https://x/m", "https://me%3ASECRET%40x/m"),
        in_place_of("https://x/m", "https:/me:SECRET@x/m"),
        in_place_of("'https://x/m'", &format!("['{url}']")),
        in_place_of("'https://x/m'", &format!("\"{url}")),
        in_place_of("'https://x/m'", url),
        format!("mirrors = ['{url}']\n{LEAST}"),
        format!("mirrors = '{url}'\n{LEAST}"),
        format!("mirrors = [['{url}']]\n{LEAST}"),
        format!("{LEAST}[[authorization]]\norigin = '{url}'\nbearer = 'x'\n"),
        format!("{LEAST}[[authorization]]\nurl = '{url}'\n"),
        format!("{LEAST}[authorization]\norigin = '{url}'\n"),
        authorization("password = 'SECRET"),
        authorization("password = SECRET"),
        authorization("password = ['SECRET']"),
        authorization("pasword = 'SECRET'"),
        authorization("password = 'SECRET'\npassword = 'SECRET'"),
    ] {
        let said = Settings::parse(&text).unwrap_err();
        assert!(!said.contains("SECRET"), "{said}");
    }
    let numbers = authorization("password = 735310");
    let said = Settings::parse(&numbers).unwrap_err();
    assert!(said.contains("line ") && !said.contains("735310"), "{said}");
}

#[test]
fn a_message_says_where() {
    let said = Settings::parse(&format!("{LEAST}mode = 'sometimes'\n")).unwrap_err();
    assert!(
        said.starts_with("line 5: ") && said.contains("before-launch"),
        "{said}"
    );
}

#[test]
fn refuses_what_cannot_work() {
    for line in [
        "deadline = 0",
        "deadline = 1e9",
        "stall = -1",
        "wait = 0",
        "wait = 1e9",
        "log_level = 'loud'",
        "probation = 1e9",
        "mode = 'sometimes'",
        "channel = 'nightly'",
    ] {
        let text = format!("{LEAST}{line}\n");
        assert!(Settings::parse(&text).is_err(), "{line}");
    }
    for (from, to) in [
        ("executable = 'app'", "executable = '../app'"),
        ("'https://x/m'", "'file:///x/m'"),
        ("name = 'app'", "name = ''"),
        ("name = 'app'", ""),
    ] {
        assert!(Settings::parse(&LEAST.replace(from, to)).is_err(), "{to}");
    }
}

#[test]
fn an_application_user_model_id_has_the_form_that_windows_takes() {
    let settings = |id: &str| Settings::parse(&format!("{LEAST}app_user_model_id = '{id}'\n"));
    let good = settings("Example.PhotoDesk").unwrap();
    assert_eq!(good.app_user_model_id.as_deref(), Some("Example.PhotoDesk"));
    for bad in [String::new(), "Photo Desk".into(), "x".repeat(129)] {
        assert!(settings(&bad).is_err(), "{bad:?}");
    }
    assert!(settings(&"x".repeat(128)).is_ok());
}

use secrecy::ExposeSecret as _;

use super::*;
use crate::cli::SecretsIn;
use crate::config::{Language, To};
use crate::names::LaneKey;

/// Runs it without asking WeCom, with these lines as answers; its exit code, or the error, and what it printed.
fn scripted(arguments: &Init, lines: &str) -> (anyhow::Result<ExitCode>, String, String) {
    let (mut asked, mut screen) = (Vec::new(), Vec::new());
    let ask = Ask { input: &mut lines.as_bytes(), screen: &mut asked, terminal: false };
    let done = talk(arguments, ask, &mut screen);
    (done, String::from_utf8(asked).unwrap(), String::from_utf8(screen).unwrap())
}

fn arguments(folder: &tempfile::TempDir) -> Init {
    let output = folder.path().join("wegraf.yaml");
    Init { output, no_test: true, language: Some(Language::En), ..Init::default() }
}

fn made(lines: &str) -> (Config, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let arguments = arguments(&folder);
    let (done, asked, screen) = scripted(&arguments, lines);
    assert_eq!(done.unwrap(), ExitCode::SUCCESS);
    let (config, notes) = Config::load(&arguments.output).unwrap();
    assert_eq!(notes, [], "other users cannot read its secrets");
    (config, asked, screen)
}

#[test]
fn a_pasted_webhook_url_becomes_a_configuration() {
    let (config, asked, screen) = made("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=11111111-2222\n");
    assert_eq!(config.wecom.webhooks["group"][0].expose_secret(), "11111111-2222");
    assert_eq!(config.language, Language::En);
    assert_eq!(config.receivers["ops"].targets[0].lane(), LaneKey::stored("webhook/group"));
    assert!(!format!("{asked}{screen}").contains("11111111-2222"), "no secret of WeCom's is printed");
    for text in
        ["http://127.0.0.1:8080/webhook", "Authorization Header - Credentials: wg_", "webhook_configs:", "curl -H"]
    {
        assert!(screen.contains(text), "{text}: {screen}");
    }
}

#[test]
fn an_app_and_its_people_become_a_configuration() {
    let (config, asked, _) = made("3\nnonsense\nww1\nabc\n1000002\nse\"cr'et:#\\\nzhangsan，lisi\n");
    assert_eq!(config.wecom.apps["app"].secret.expose_secret(), "se\"cr'et:#\\");
    let To::Members { users, .. } = &config.receivers["ops"].targets[0].to else { panic!("members") };
    assert_eq!(users, &["zhangsan", "lisi"]);
    assert!(asked.contains("nonsense") && asked.contains("abc"), "wrong answers are told: {asked}");
}

#[test]
fn a_bot_and_a_conversation_become_a_configuration() {
    for (chat, lane) in [("zhangsan", "bot/duty/zhangsan"), ("wrA_b-1", "bot/duty/wrA_b-1")] {
        let folder = tempfile::tempdir().unwrap();
        let arguments = Init {
            bot_id: Some("aib-1".to_owned()),
            bot_secret: Some("secret:#1".to_owned()),
            chat: Some(chat.to_owned()),
            ..arguments(&folder)
        };
        scripted(&arguments, "").0.unwrap();
        let (config, _) = Config::load(&arguments.output).unwrap();
        assert_eq!(config.wecom.bots["duty"].secret.expose_secret(), "secret:#1");
        assert_eq!(config.receivers["ops"].targets[0].lane(), LaneKey::stored(lane));
    }
}

#[test]
fn what_is_missing_is_named_at_once_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = Init { yes: true, corp_id: Some("ww1".to_owned()), ..arguments(&folder) };
    let error = scripted(&arguments, "").0.unwrap_err();
    assert!(error.is::<Misused>());
    for flag in ["--agent-id", "WEGRAF_SECRET", "--users"] {
        assert!(error.to_string().contains(flag), "{flag}: {error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let (done, ..) = scripted(&self::arguments(&folder), "");
    assert!(done.unwrap_err().to_string().contains("--webhook"));
}

#[test]
fn a_file_that_exists_is_added_to_and_otherwise_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = arguments(&folder);
    scripted(&arguments, "2\nfirst-key\n").0.unwrap();
    let before = std::fs::read_to_string(&arguments.output).unwrap();
    let more = Init { users: vec!["lisi".to_owned()], agent_id: Some(1), ..self::arguments(&folder) };
    let (done, _, screen) = scripted(&more, "ww2\ns2\n");
    assert_eq!(done.unwrap(), ExitCode::SUCCESS);
    let after = std::fs::read_to_string(&arguments.output).unwrap();
    let kept: Vec<&str> = after.lines().filter(|line| before.lines().any(|old| old == *line)).collect();
    assert_eq!(kept, before.lines().collect::<Vec<_>>(), "{after}");
    let (config, _) = Config::load(&arguments.output).unwrap();
    assert_eq!(config.wecom.apps["app"].secret.expose_secret(), "s2");
    assert!(config.receivers.contains_key("ops-2") && screen.contains("ops-2"), "{screen}");
}

#[test]
fn secrets_stand_where_they_are_wanted() {
    use std::os::unix::fs::PermissionsExt as _;
    for (place, files, mark) in [
        (SecretsIn::File, 3, "file: secrets/group"),
        (SecretsIn::Inline, 1, "\"the-key\""),
        (SecretsIn::Env, 1, "WEGRAF_GROUP"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let arguments = Init { secrets: place, ..arguments(&folder) };
        scripted(&arguments, "2\nthe-key\n").0.unwrap();
        let text = std::fs::read_to_string(&arguments.output).unwrap();
        assert!(text.contains(mark), "{text}");
        assert_eq!(text.contains("the-key"), place == SecretsIn::Inline);
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&arguments.output), 0o600);
        let secrets =
            std::fs::read_dir(folder.path().join("secrets")).into_iter().flatten().map(|file| file.unwrap().path());
        let modes: Vec<u32> = secrets.map(|path| mode(&path)).collect();
        assert_eq!(modes.len() + 1, files);
        assert!(modes.iter().all(|mode| *mode == 0o600));
    }
}

#[test]
fn without_a_bot_one_goes_back_to_the_first_question_and_may_leave() {
    // Enter is the bot; Enter again goes back.
    let (config, asked, _) = made("webhok\n\nwebhook\n\n2\n\nwebhook\nthe-key\n");
    assert_eq!(config.wecom.webhooks["group"][0].expose_secret(), "the-key");
    assert!(config.wecom.bots.is_empty());
    assert!(asked.contains("Enter alone is 1") && asked.contains("Enter alone goes back"), "{asked}");
    assert!(asked.contains("✗") && !asked.contains("the-key"), "{asked}");
    let folder = tempfile::tempdir().unwrap();
    for quits in ["q\n", "\nq\n"] {
        let (done, ..) = scripted(&arguments(&folder), quits);
        assert!(done.unwrap_err().to_string().contains("nothing was written"));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_is_printed_for_alertmanager_is_a_whole_file_and_the_port_is_the_chosen_one() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = Init { listen: Some("127.0.0.1:9100".parse().unwrap()), ..arguments(&folder) };
    let (_, _, screen) = scripted(&arguments, "2\nthe-key\n");
    assert!(screen.contains("\nroute:\n  receiver: wegraf\n") && screen.contains("http://127.0.0.1:9100/"), "{screen}");
    let text = std::fs::read_to_string(&arguments.output).unwrap();
    assert!(text.contains("0.0.0.0:9100") && !text.contains("8080"), "{text}");
}

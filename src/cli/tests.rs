use super::*;

#[test]
fn the_tree_of_commands_is_sound() {
    command().debug_assert();
}

#[test]
fn every_command_and_argument_has_help_in_both_languages() {
    fn walk(command: &clap::Command) {
        let both = |text: &str| !text.is_ascii() && text.contains(|letter: char| letter.is_ascii_alphabetic());
        for below in command.get_subcommands() {
            let about = below.get_about().unwrap_or_default().to_string();
            assert!(both(&about), "{}: {about}", below.get_name());
            walk(below);
        }
        for argument in
            command.get_arguments().filter(|argument| argument.get_id() != "help" && argument.get_id() != "version")
        {
            let help = argument.get_help().unwrap_or_default().to_string();
            assert!(both(&help), "{} {}: {help}", command.get_name(), argument.get_id());
        }
    }
    walk(&command());
}

fn code(arguments: &[&str]) -> ExitCode {
    run(std::iter::once("wegraf").chain(arguments.iter().copied()).map(OsString::from))
}

#[test]
fn exit_codes_are_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good.yaml");
    let good = good.to_str().unwrap();
    assert_eq!(code(&["init", "-o", good, "--webhook", "11111111-2222", "--no-test"]), ExitCode::SUCCESS);
    let bad = folder.path().join("bad.yaml");
    std::fs::write(&bad, "listn: 1\n").unwrap();
    let bad = bad.to_str().unwrap();
    assert_eq!(code(&["check", "-c", good]), ExitCode::SUCCESS);
    assert_eq!(code(&["check", "-c", bad]), ExitCode::from(1));
    assert_eq!(code(&["check", "-c", bad, "--json"]), ExitCode::from(1));
    assert_eq!(code(&["route", "-c", good, "severity=critical"]), ExitCode::SUCCESS);
    assert_eq!(code(&["route", "-c", bad, "severity=critical"]), ExitCode::from(2));
    assert_eq!(code(&["route", "-c", good, "severity"]), ExitCode::from(2));
    assert_eq!(code(&["init", "-o", bad, "--webhook", "11111111-2222", "--yes"]), ExitCode::from(2));
    assert_eq!(code(&["init", "-o", good, "--yes"]), ExitCode::from(2));
    assert_eq!(code(&["init", "-o", "/nowhere/w.yaml", "--webhook", "with space"]), ExitCode::from(2));
    assert_eq!(code(&["nonsense"]), ExitCode::from(2));
    assert_eq!(code(&["--help"]), ExitCode::SUCCESS);
}

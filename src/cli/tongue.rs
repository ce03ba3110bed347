//! The language of a command: one, that of the person who runs it.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command, ValueEnum};

use crate::words::{Language, Words, spoken, words};

/// What `--lang` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tongue {
    /// Chinese.
    #[value(help = "中文")]
    Zh,
    /// English.
    #[value(help = "English")]
    En,
    /// Both, for readers of either.
    #[value(help = "中文 + English")]
    Both,
}

/// The variables that say in which language a terminal is read, the first one that is set counts (POSIX).
const LOCALE: [&str; 3] = ["LC_ALL", "LC_MESSAGES", "LANG"];

/// Was the language of this process ordered, by `--lang` or `WEGRAF_LANG`? A gateway speaks that of its configuration
/// otherwise: the locale is that of its service manager.
pub fn is_ordered() -> bool {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    ordered(&arguments, |name| std::env::var_os(name).map(|text| text.to_string_lossy().into_owned())).is_some()
}

fn ordered(arguments: &[OsString], variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    flag(arguments).or_else(|| variable("WEGRAF_LANG").filter(|text| !text.is_empty()))
}

/// The language of a command with these arguments; `None` is both. `--lang`, then `WEGRAF_LANG`, then the locale; Chinese
/// where it names no language (`C`, `POSIX`), English where it names another one.
pub fn chosen(arguments: &[OsString], variable: impl Fn(&str) -> Option<String>) -> Option<Language> {
    match ordered(arguments, &variable).as_deref() {
        Some("both") => return None,
        Some("en") => return Some(Language::En),
        Some("zh") => return Some(Language::Zh),
        // Anything else is a mistake that the parser tells.
        _ => {}
    }
    let locale = LOCALE.iter().find_map(|name| variable(name).filter(|text| !text.is_empty()));
    let locale = locale.unwrap_or_default().to_lowercase();
    let name = locale.split(['.', '_', '@', '-']).next().unwrap_or_default();
    Some(if matches!(name, "" | "c" | "posix" | "zh") { Language::Zh } else { Language::En })
}

fn flag(arguments: &[OsString]) -> Option<String> {
    let texts: Vec<&str> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
    let before = texts.iter().position(|text| *text == "--").unwrap_or(texts.len());
    texts[..before].iter().enumerate().find_map(|(at, text)| match text.strip_prefix("--lang")? {
        "" => texts.get(at + 1).map(|text| (*text).to_owned()),
        value => value.strip_prefix('=').map(str::to_owned),
    })
}

/// The tree of commands with its help in one language.
pub fn in_language(command: Command, language: Option<Language>) -> Command {
    match language {
        Some(language) => below(headed(command, language), language),
        None => command,
    }
}

fn below(command: Command, language: Language) -> Command {
    let mut command = command.mut_args(|argument| {
        let (help, long) = (argument.get_help().cloned(), argument.get_long_help().cloned());
        let mut argument = argument;
        if let Some(help) = help {
            argument = argument.help(one(&help.to_string(), language));
        }
        if let Some(long) = long {
            argument = argument.long_help(one(&long.to_string(), language));
        }
        if language == Language::Zh && argument.get_help_heading().is_none() {
            let positional = argument.is_positional();
            argument = argument.help_heading(if positional { "参数" } else { "选项" });
        } else if let Some(heading) = argument.get_help_heading().map(str::to_owned) {
            argument = argument.help_heading(one(&heading, language));
        }
        argument
    });
    for (text, set) in [
        (command.get_about().map(ToString::to_string), Command::about as fn(Command, String) -> Command),
        (command.get_long_about().map(ToString::to_string), Command::long_about),
        (command.get_after_help().map(ToString::to_string), Command::after_help),
    ] {
        if let Some(text) = text {
            command = set(command, one(&text, language));
        }
    }
    if language == Language::Zh {
        command = command
            .subcommand_help_heading("命令")
            .help_template("{before-help}{about-with-newline}\n用法: {usage}\n\n{all-args}{after-help}");
    }
    let names: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, |one| below(one, language)))
}

/// The help and version flags, whose words clap would give in English.
fn headed(command: Command, language: Language) -> Command {
    let help = words("显示帮助", "Print help");
    let version = words("显示版本", "Print version");
    command
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(
            Arg::new("help")
                .short('h')
                .long("help")
                .action(ArgAction::Help)
                .global(true)
                .help(help.get(language).to_owned()),
        )
        .arg(
            Arg::new("version")
                .short('V')
                .long("version")
                .action(ArgAction::Version)
                .help(version.get(language).to_owned()),
        )
}

/// One language of a help text, whose lines are written "中文。 English." or "中文 | English".
fn one(text: &str, language: Language) -> String {
    let lines: Vec<String> = text.lines().map(|line| split(line).get(language).to_owned()).collect();
    lines.join("\n")
}

/// The two halves of a help text. A sentence in Chinese is not followed by a blank, so the first one that is ends the
/// Chinese half.
pub(super) fn split(line: &str) -> Words {
    let ends = [" | ", "。 ", "？ ", "： "].iter().filter_map(|end| Some((line.find(end)?, *end))).min();
    let Some((at, end)) = ends else { return Words::from((line.to_owned(), line.to_owned())) };
    let (chinese, english) = line.split_at(at + end.len());
    let blanks: String = line.chars().take_while(|letter| *letter == ' ').collect();
    Words::from((chinese.trim_end_matches([' ', '|', '。']).to_owned(), format!("{blanks}{}", english.trim_start())))
}

/// The tree of commands in the language of this process.
pub fn spoken_tree(command: Command) -> Command {
    in_language(command, spoken())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(arguments: &[&str], variables: &[(&str, &str)]) -> Option<Language> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        chosen(&arguments, variable)
    }

    #[test]
    fn the_flag_comes_first_then_the_locale() {
        let (zh, en) = (Some(Language::Zh), Some(Language::En));
        assert_eq!(language(&[], &[]), zh);
        assert_eq!(language(&["check", "--lang", "en"], &[("LANG", "zh_CN.UTF-8")]), en);
        assert_eq!(language(&["--lang=zh"], &[("LC_ALL", "en_US.UTF-8")]), zh);
        assert_eq!(language(&[], &[("LANG", "en_US.UTF-8")]), en);
        assert_eq!(language(&[], &[("LC_ALL", "zh_CN.UTF-8"), ("LANG", "en_US.UTF-8")]), zh);
        assert_eq!(language(&[], &[("LC_ALL", ""), ("LC_MESSAGES", "en_GB"), ("LANG", "zh_CN")]), en);
        assert_eq!(language(&[], &[("LANG", "C.UTF-8")]), zh);
        assert_eq!(language(&[], &[("LANG", "POSIX")]), zh);
        assert_eq!(language(&[], &[("LANG", "de_DE.UTF-8")]), en);
        assert_eq!(language(&[], &[("WEGRAF_LANG", "en"), ("LANG", "zh_CN")]), en);
        assert_eq!(language(&["--lang", "both"], &[("LANG", "zh_CN")]), None);
        assert_eq!(language(&["--", "--lang", "en"], &[]), zh, "what follows -- is no flag");
    }

    fn texts(command: &Command, all: &mut Vec<String>) {
        all.extend(command.get_about().map(ToString::to_string));
        all.extend(command.get_after_help().map(ToString::to_string));
        for argument in command.get_arguments() {
            all.extend(argument.get_help().map(ToString::to_string));
            all.extend(argument.get_help_heading().map(str::to_owned));
        }
        for below in command.get_subcommands() {
            texts(below, all);
        }
    }

    #[test]
    fn every_help_text_is_in_one_language() {
        let han = |text: &str| text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
        let english = |text: &str| {
            let words = text.split(|letter: char| !letter.is_ascii_alphabetic());
            words.filter(|word| ["the", "of", "is", "and", "a", "to"].contains(word)).count()
        };
        for language in [Language::Zh, Language::En] {
            let mut tree = in_language(super::super::command(), Some(language));
            tree.build();
            let mut all = Vec::new();
            texts(&tree, &mut all);
            assert!(all.len() > 150, "{}", all.len());
            let wrong: Vec<&String> = all
                .iter()
                .filter(|text| match language {
                    Language::Zh => !han(text) || english(text) > 1,
                    Language::En => han(text),
                })
                .collect();
            assert!(wrong.is_empty(), "{language:?}: {wrong:#?}");
        }
    }
}

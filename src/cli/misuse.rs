//! What is wrong with how a command was typed, in the language of the person who typed it.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};

use crate::words::{Words, told, words};

/// Tells it on standard error, or prints the help that was asked for.
pub(super) fn tell(error: &Error, command: &Command) {
    match said(error) {
        Some(said) => {
            let usage = usage(error, command);
            super::screen::warn(with(
                &said,
                &told!("\n\n用法: {usage}\n更多: --help", "\n\nUsage: {usage}\nMore: --help"),
            ));
        }
        // A closed pipe (`help | head`) is not an error.
        None => drop(error.print()),
    }
}

/// The line of usage of the command that was typed.
fn usage(error: &Error, command: &Command) -> String {
    let written = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => command.clone().render_usage().to_string(),
    };
    written.trim().trim_start_matches("Usage:").trim_start_matches("用法:").trim().to_owned()
}

/// The sentence, with what fits instead; `None` where help is shown.
fn said(error: &Error) -> Option<Words> {
    let text = |kind: ContextKind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        Some(ContextValue::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let (argument, value) = (text(ContextKind::InvalidArg), text(ContextKind::InvalidValue));
    let said = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::DisplayVersion => {
            return None;
        }
        ErrorKind::UnknownArgument => told!("不认识 {argument}", "{argument} is unknown"),
        ErrorKind::InvalidSubcommand => {
            let name = text(ContextKind::InvalidSubcommand);
            told!("没有命令 {name}", "there is no command {name}")
        }
        ErrorKind::InvalidValue if value.is_empty() => told!("{argument} 后面要有值", "{argument} needs a value"),
        ErrorKind::InvalidValue => told!("{argument} 不能是 {value}", "{argument} cannot be {value}"),
        ErrorKind::ValueValidation => {
            let why = std::error::Error::source(error).map(|why| reason(&why.to_string())).unwrap_or_default();
            with(&told!("{argument} 不能是 {value}：", "{argument} cannot be {value}: "), &why)
        }
        ErrorKind::MissingRequiredArgument => told!("缺少 {argument}", "{argument} is missing"),
        ErrorKind::MissingSubcommand => words("缺少子命令", "a subcommand is missing"),
        ErrorKind::ArgumentConflict => match text(ContextKind::PriorArg) {
            prior if prior.is_empty() || prior == argument => {
                told!("{argument} 只能写一次", "{argument} can be given once only")
            }
            prior => told!("{argument} 不能和 {prior} 一起用", "{argument} cannot be used with {prior}"),
        },
        ErrorKind::NoEquals => told!("{argument} 和值之间要写等号", "{argument} and its value need an equals sign"),
        ErrorKind::TooManyValues => told!("{argument} 的值太多：{value}", "{argument} has too many values: {value}"),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            told!("{argument} 的值的个数不对", "{argument} has the wrong number of values")
        }
        ErrorKind::InvalidUtf8 => words("参数不是 UTF-8", "an argument is not UTF-8"),
        _ => words("参数不对", "the arguments are wrong"),
    };
    let first = |kinds: [ContextKind; 3]| kinds.map(text).into_iter().find(|text| !text.is_empty());
    let known = first([ContextKind::ValidValue, ContextKind::ValidSubcommand, ContextKind::ValidValue]);
    let near = first([ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue]);
    let said = match known {
        Some(known) => with(&said, &told!("\n  可以是 {known}", "\n  it can be {known}")),
        None => said,
    };
    let said = match near {
        Some(near) => with(&said, &told!("\n  是不是 {near}？", "\n  is it {near}?")),
        None => said,
    };
    Some(said)
}

/// Two texts, one behind the other, in each language.
fn with(first: &Words, more: &Words) -> Words {
    Words::from((format!("{}{}", first.zh, more.zh), format!("{}{}", first.en, more.en)))
}

/// Why a value does not fit: our own words, or those of a parser of numbers.
fn reason(why: &str) -> Words {
    match why.split_once(" is not in ") {
        Some((value, range)) => told!("{value} 不在 {range} 之内", "{value} is not in {range}"),
        None if why.contains("invalid digit") => words("不是整数", "it is no whole number"),
        None if why.contains("invalid IP address") => words("不是 IP 地址", "it is no IP address"),
        None => Words::from((why.to_owned(), why.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_misuse_is_told_in_chinese() {
        for (arguments, expected) in [
            (&["nonsense"][..], "没有命令 nonsense"),
            (&["serv"], "是不是 serve"),
            (&["serve", "--lisen", "x"], "不认识 --lisen\n  是不是 --listen？"),
            (&["serve", "--listen", "nowhere"], "--listen <ADDR> 不能是 nowhere："),
            (&["serve", "--listen"], "--listen <ADDR> 后面要有值"),
            (&["send"], "缺少 <RECEIVER>"),
            (&["completions", "cmd"], "<SHELL> 不能是 cmd\n  可以是 bash, "),
            (&["duty", "--days", "400"], "不能是 400：400 不在 1..=366 之内"),
            (&["duty", "--days", "x"], "不能是 x：不是整数"),
            (&["route", "severity"], "不能是 severity："),
            (&["send", "ops", "--text", "a", "--sample", "b"], "不能和"),
            (&["simulator", "--listen", "a", "--listen", "b"], "--listen <ADDR>"),
            (&["doctor", "--from", "x", "--source", "s"], "不是 IP 地址"),
        ] {
            let parsed = super::super::command()
                .try_get_matches_from(std::iter::once("wegraf").chain(arguments.iter().copied()));
            let error = parsed.unwrap_err();
            let told = said(&error).unwrap().zh.into_owned();
            assert!(told.contains(expected), "{arguments:?}: {told}");
            assert!(!usage(&error, &super::super::command()).contains("Usage"), "{arguments:?}");
        }
        for arguments in [&["--help"][..], &["--version"], &["deliveries"]] {
            let parsed = super::super::command()
                .try_get_matches_from(std::iter::once("wegraf").chain(arguments.iter().copied()));
            assert_eq!(said(&parsed.unwrap_err()), None, "{arguments:?}");
        }
    }
}

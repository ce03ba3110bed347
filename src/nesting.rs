//! How deeply the expressions of a template nest.
//!
//! The parser of templates and what it builds recurse once for each operator of an expression, without a bound for chains
//! such as `---1`, `a.b.c` and `elif`: a long one would overflow the stack, which ends the process. A template is counted
//! before it is parsed. The parser bounds brackets and blocks itself.

/// Most operators in one tag, and most `elif` in one template. A parse of this depth takes a tenth of a thread's stack of
/// 2 MiB.
pub const DEEPEST: usize = 400;

/// Words that are operators.
const WORDS: [&str; 7] = ["not", "and", "or", "if", "else", "is", "in"];

/// The line (from 1) where a template nests too deeply, if it does.
pub fn of_template(source: &str) -> Option<usize> {
    let (mut rest, mut at, mut branches) = (source, 0, 0);
    while let Some(open) = rest.find("{{").into_iter().chain(rest.find("{%")).chain(rest.find("{#")).min() {
        let (kind, inside) = (&rest[open..open + 2], &rest[open + 2..]);
        at += open + 2;
        let (operators, elifs, length) = match kind {
            "{#" => (0, 0, inside.find("#}").map_or(inside.len(), |end| end + 2)),
            _ => count(inside, Some(if kind == "{{" { "}}" } else { "%}" })),
        };
        branches += elifs;
        if operators > DEEPEST || branches > DEEPEST {
            return Some(source[..at].matches('\n').count() + 1);
        }
        at += length;
        rest = &inside[length..];
    }
    None
}

/// Does an expression, written without the braces of a template, nest too deeply?
pub fn of_expression(source: &str) -> bool {
    count(source, None).0 > DEEPEST
}

/// Operators and `elif`s up to `end` or that of the text, outside of strings, and the bytes up to behind it.
fn count(text: &str, end: Option<&str>) -> (usize, usize, usize) {
    let (mut operators, mut elifs, mut at) = (0, 0, 0);
    while let Some(letter) = text[at..].chars().next() {
        if let Some(end) = end.filter(|end| text[at..].starts_with(end)) {
            return (operators, elifs, at + end.len());
        }
        match letter {
            '"' | '\'' => at += string(&text[at..], letter),
            _ if letter.is_alphabetic() || letter == '_' => {
                let word = text[at..].split(|letter: char| !letter.is_alphanumeric() && letter != '_').next();
                let word = word.unwrap_or_default();
                operators += usize::from(WORDS.contains(&word));
                elifs += usize::from(word == "elif");
                at += word.len();
            }
            _ => {
                operators += usize::from("-+*/%~|.<>=![(".contains(letter));
                at += letter.len_utf8();
            }
        }
    }
    (operators, elifs, at)
}

/// The bytes of the string that `text` begins with.
fn string(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use minijinja::Environment;

    use super::*;

    /// Each way to nest without brackets, `depth` times.
    fn chains(depth: usize) -> [String; 9] {
        [
            "-".repeat(depth) + "1",
            "not ".repeat(depth) + "1",
            "a".to_owned() + &".b".repeat(depth),
            "a".to_owned() + &"['b']".repeat(depth),
            "a".to_owned() + &"()".repeat(depth),
            "1".to_owned() + &"|abs".repeat(depth),
            "1".to_owned() + &"~1".repeat(depth),
            "1".to_owned() + &" and 1".repeat(depth),
            "1 if a else ".repeat(depth / 2) + "1",
        ]
    }

    #[test]
    fn a_chain_as_deep_as_is_allowed_is_compiled_and_a_deeper_one_is_found_before() {
        for (chain, longer) in chains(DEEPEST).iter().zip(&chains(DEEPEST + 2)) {
            assert!(!of_expression(chain) && of_expression(longer), "{}", &longer[..20]);
            let template = format!("a\n{{{{ {chain} }}}}");
            assert_eq!(of_template(&template), None);
            Environment::new().template_from_str(&template).unwrap();
            assert_eq!(of_template(&format!("a\n{{{{ {longer} }}}}")), Some(2));
            assert_eq!(of_template(&format!("a\n\n{{% set b = {longer} %}}")), Some(3));
        }
        let branches = |depth: usize| format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(depth));
        assert_eq!(of_template(&branches(DEEPEST)), None);
        Environment::new().template_from_str(&branches(DEEPEST)).unwrap();
        assert!(of_template(&branches(DEEPEST + 1)).is_some());
    }

    #[test]
    fn what_is_long_without_nesting_is_allowed() {
        let list = format!("{{% set names = [{}] %}}", "\"a-b.c: not - if\", ".repeat(2_000));
        let text = "- a. -- b | c\n".repeat(2_000);
        let tags = "{{ a.b|upper }} - ".repeat(2_000);
        let comment = format!("{{# {} #}}", "---".repeat(2_000));
        for fine in [&list, &text, &tags, &comment, "{{ 'an open string ------", "{{", "{% \"\\", ""] {
            assert_eq!(of_template(fine), None);
        }
        let hidden = format!("{{{{ '}}}}' ~ \"\\\"}}}}\" {} }}}}", "-".repeat(DEEPEST));
        assert_eq!(of_template(&hidden), Some(1), "braces and quotes in a string end nothing");
    }

    proptest::proptest! {
        #[test]
        fn no_text_does_harm(text in "[-{}%#'\"\\\\ aif.\n中]{0,60}") {
            of_template(&text);
            of_expression(&text);
        }
    }
}

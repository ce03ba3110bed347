//! A text for people in both languages.

use std::borrow::Cow;
use std::fmt;

/// A sentence in Chinese and in English. Its `Display` is the English one. A text from outside, which has one language
/// only, stands in both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    /// 中文
    pub zh: Cow<'static, str>,
    /// English
    pub en: Cow<'static, str>,
}

impl Text {
    pub(crate) fn new(zh: impl Into<Cow<'static, str>>, en: impl Into<Cow<'static, str>>) -> Self {
        Self { zh: zh.into(), en: en.into() }
    }

    /// A text from outside.
    pub(crate) fn foreign(text: String) -> Self {
        Self::new(text.clone(), text)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.en)
    }
}

//! What the pages of templates say, and what is said where a file is saved.

use crate::words::{Words, words};

pub(in crate::console) const TEMPLATES: Words = words("消息模板", "Templates");
pub(in crate::console) const OWN_TEMPLATES: Words = words("自己的模板", "Your own");
pub(in crate::console) const NO_TEMPLATES: Words =
    words("还没有自己的模板：消息用自带的样式。", "There is none: messages look as shipped.");
pub(in crate::console) const ASKED_BY: Words = words("用它的接收者：", "asked for by");
pub(in crate::console) const ASKED_BY_NONE: Words = words("没有接收者用它", "no receiver asks for it");
pub(in crate::console) const NEW_TEMPLATE: Words = words("新模板", "A new template");
pub(in crate::console) const BEGIN_WITH: Words =
    words("从自带的样式改起（语言/样式）：", "Begin with a shipped one (language/face):");
pub(in crate::console) const NOTHING_WRITTEN: Words = words(
    "控制台不能写文件：可以改、可以看效果，改好后复制到文件里。要能直接保存，在配置里写 console.write: [目录]。",
    "The console writes no files: edit and look here, then copy the text into the file. To save here, name the folder in console.write.",
);
pub(in crate::console) const TEMPLATE_TEXT: Words = words("模板（MiniJinja）", "Template (MiniJinja)");
pub(in crate::console) const FORM: Words = words("样式", "Face");
pub(in crate::console) const SAMPLE: Words = words("样例", "Sample");
pub(in crate::console) const OR_SHORT_ID: Words = words("或一条告警的短号", "Or the short id of an alert");
pub(in crate::console) const COPY: Words = words("复制", "Copy");
pub(in crate::console) const COPIED: Words = words("已复制", "Copied");
pub(in crate::console) const SAVE_FILE: Words = words("保存到文件", "Save as a file");
pub(in crate::console) const FILE_NAME: Words = words("文件名（不写扩展名）", "Name of the file, without its ending");
pub(in crate::console) const FOLDER: Words = words("目录", "Folder");
pub(in crate::console) const SAVE_DOES: Words = words(
    "检查通过才写；整个替换，旧的留作同名 .old；然后重新加载配置，加载不了就放回旧的。",
    "It is written only if it passes the check, in one piece; the old file stays beside it as .old. Then the configuration is reloaded; if that fails, the old file is put back.",
);
pub(in crate::console) const COPY_ONLY: Words = words(
    "这个文件不在 console.write 的目录里：改好后复制过去。",
    "This file is in no folder of console.write: copy the text there when it is right.",
);
pub(in crate::console) const TEMPLATE_WRONG: Words = words("模板有错", "The template is wrong");

/// It is saved and in force.
pub const SAVED: Words = words("保存了，已经生效。", "Saved, and in force.");
/// It is saved, and nothing reads it.
pub const SAVED_UNUSED: Words = words(
    "保存了，但配置里没有模式包含这个文件，所以还没有生效：看 templates 和 payload_files。",
    "Saved, but no pattern of the configuration names the file, so it is not in force: see `templates` and `payload_files`.",
);
/// It has a mistake.
pub const NOT_SAVED: Words = words("有错，没有保存。", "It is wrong and was not saved.");
/// The folder is not named in the configuration, or is gone.
pub const NO_FOLDER: Words = words(
    "没有保存：这个目录不在 console.write 里，或者不是目录。",
    "Not saved: that folder is not in console.write, or is none.",
);
/// The name of the file is not plain, or a link stands there.
pub const NO_FILE_NAME: Words = words(
    "没有保存：文件名只用 a-z 0-9 _ -，最多两个点；那里不能是链接。",
    "Not saved: a name has a-z 0-9 _ - and at most two dots, and no link is followed.",
);
/// The file is not the one that the person saw.
pub const FILE_CHANGED: Words = words(
    "没有保存：文件已经存在，或刚被别人改过。再保存一次就换掉它，它留作 .old。",
    "Not saved: the file is there already, or was changed meanwhile. Save again to replace it; it stays as .old.",
);
/// There is no alert with this short id.
pub const NO_SUCH_ID: Words = words("没有这个短号的告警。", "There is no alert with this short id.");

/// The file could not be written.
pub fn not_written(why: &str) -> Words {
    (format!("没有保存：写不了文件（{why}）"), format!("Not saved: the file cannot be written ({why})")).into()
}

/// With the file the configuration is wrong; the old one is in force.
pub fn not_taken(why: &str) -> Words {
    (
        format!("没有保存，已放回原样：用它加载不了配置。{why}"),
        format!("Not saved, all is as it was: the configuration cannot be loaded with it. {why}"),
    )
        .into()
}

/// Where a mistake is.
pub(in crate::console) fn at_line_column(line: usize, column: usize) -> Words {
    (format!("第 {line} 行第 {column} 列"), format!("line {line}, column {column}")).into()
}

/// The same where the column is not known.
pub(in crate::console) fn at_line(line: usize) -> Words {
    (format!("第 {line} 行"), format!("line {line}")).into()
}

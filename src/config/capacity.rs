//! The memory limit of the process.

use super::amounts;
use super::at::At;
use super::resolve::{Resolver, placed};
use crate::room::{LEAST_MEMORY, MEMORY};

impl Resolver<'_> {
    /// The bound on memory, in bytes.
    pub(super) fn memory(&mut self, memory: Option<&At<String>>) -> u64 {
        let Some((place, text)) = placed(memory) else { return MEMORY };
        match amounts::parse_size(text) {
            Some(bytes) if bytes >= LEAST_MEMORY => bytes,
            Some(_) => {
                self.found.mistake(
                    place,
                    (
                        format!("`memory` 是 {text}，太小：一个 10 MB 的告警分组就处理不了"),
                        format!("`memory` is {text}, too small: a group of alerts of 10 MB could not be taken"),
                    ),
                    ("至少 128MB；默认 256MB", "at least 128MB; 256MB is the default"),
                );
                MEMORY
            }
            None => {
                self.found.mistake(
                    place,
                    ("`memory` 不是大小", "`memory` is not a size"),
                    ("整数加 MB 或 GB：256MB、1GB", "a whole number with MB or GB: 256MB, 1GB"),
                );
                MEMORY
            }
        }
    }
}

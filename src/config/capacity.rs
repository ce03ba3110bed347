//! The memory limit of the process, and the listener that monitoring reaches when the other is crowded.

use std::net::SocketAddr;

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

    pub(super) fn listen_monitoring(
        &mut self,
        address: Option<&At<String>>,
        main: Option<SocketAddr>,
    ) -> Option<SocketAddr> {
        let (place, text) = placed(address)?;
        match text.parse::<SocketAddr>() {
            Ok(address) if main == Some(address) && address.port() != 0 => {
                self.found.mistake(
                    place,
                    (
                        format!("`listen_monitoring` 和 `listen` 是同一个地址：{address}"),
                        format!("`listen_monitoring` and `listen` are the same address: {address}"),
                    ),
                    ("换一个端口，例如 127.0.0.1:9095", "take another port, for example 127.0.0.1:9095"),
                );
                None
            }
            Ok(address) => Some(address),
            Err(_) => {
                self.found.mistake(
                    place,
                    (
                        format!("`listen_monitoring` 不是“IP:端口”：`{text}`"),
                        format!("`listen_monitoring` is not IP:PORT: `{text}`"),
                    ),
                    ("例如 127.0.0.1:9095", "for example 127.0.0.1:9095"),
                );
                None
            }
        }
    }
}
